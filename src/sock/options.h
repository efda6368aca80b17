/* sock/options.h - what options.c and options_odd.c share. */
#ifndef SOCK_OPTIONS_H
#define SOCK_OPTIONS_H

#include "sock/endpoint.h"

enum opt_kind { OPT_BOOL, OPT_BIT, OPT_NUM, OPT_ODD }; /* BIT: a boolean that is 0 or 1 and nothing else */
enum {
	OPT_STREAM = 1 << VIA_STREAM, OPT_ALL = 1 << VIA_STREAM | 1 << VIA_DGRAM | 1 << VIA_PING,
	OPT_MCAST = 1 << VIA_DGRAM | 1 << VIA_PING,
	OPT_READ_ONLY = 1 << 7, /* setting it is -ENOPROTOOPT */
};

struct opt {
	int level, name;
	uint8_t types; /* OPT_* */
	uint8_t kind;
	uint16_t off;  /* of the field in struct ep_opts */
	uint32_t bit;  /* EPF_* */
	int32_t min, max;
};

/* After how many time-outs `s` seconds are over, s as getsockopt(TCP_DEFER_ACCEPT) tells it. */
uint8_t opt_defer_count(int32_t s);
/* Join and leave groups. */
int group_option_set(struct sock_env *env, struct endpoint *ep, const struct opt *o, const void *val, uint32_t len);
int opt_num_set(struct sock_env *env, struct endpoint *ep, size_t off, int32_t v);
int opt_give(void *val, uint32_t *len, const void *v, uint32_t n);
int opt_give_int(const struct opt *o, void *val, uint32_t *len, int32_t v);
/* v: the int at val. */
int opt_odd_set(struct sock_env *env, struct endpoint *ep, const struct opt *o, int32_t v, const void *val, uint32_t len);
int opt_odd_get(struct sock_env *env, struct endpoint *ep, const struct opt *o, void *val, uint32_t *len);

#endif
