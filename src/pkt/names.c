/* pkt/names.c - the words for why a packet was dropped or sent, expanded from drop.def and why.def. */
#include "pkt/pkt.h"

static const char *const drop_names[DROP_COUNT] = {
#define DROP(e, name, text) [DROP_##e] = name,
#include "pkt/drop.def"
#undef DROP
};
static const char *const drop_texts[DROP_COUNT] = {
#define DROP(e, name, text) [DROP_##e] = text,
#include "pkt/drop.def"
#undef DROP
};
static const char *const why_names[WHY_COUNT] = {
#define WHY(e, name, text) [WHY_##e] = name,
#include "pkt/why.def"
#undef WHY
};
static const char *const why_texts[WHY_COUNT] = {
#define WHY(e, name, text) [WHY_##e] = text,
#include "pkt/why.def"
#undef WHY
};

const char *drop_name(enum drop d) { return (unsigned)d < DROP_COUNT ? drop_names[d] : "unknown"; }
const char *drop_text(enum drop d) { return (unsigned)d < DROP_COUNT ? drop_texts[d] : "unknown"; }
static const char *const held_names[HELD_COUNT] = {
#define HELD(e, name) [HELD_##e] = name,
#include "pkt/held.def"
#undef HELD
};

const char *held_name(enum held h) { return (unsigned)h < HELD_COUNT && held_names[h] ? held_names[h] : "nothing"; }
const char *why_name(enum why w) { return (unsigned)w < WHY_COUNT ? why_names[w] : "unknown"; }
const char *why_text(enum why w) { return (unsigned)w < WHY_COUNT ? why_texts[w] : "unknown"; }
