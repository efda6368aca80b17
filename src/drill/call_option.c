/* drill/call_option.c - getsockopt, setsockopt, ioctl. */
#include "drill/call.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { VALUE_MAX = 256 };

static bool is_time(int64_t level, int64_t name)
{
	return level == SOL_SOCKET && (name == SO_RCVTIMEO || name == SO_SNDTIMEO);
}

/* A value as bytes: [1], [1, 2], "text", {onoff=1, linger=0}; times are two longs. Bytes, or -1 if it is none of these. */
static int value_bytes(const struct drill_expr *e, bool wide, uint8_t out[VALUE_MAX])
{
	uint32_t n = 0;
	if (e->kind == EX_LIST && e->first && (e->first->kind == EX_STRING || e->first->kind == EX_LIST || e->first->kind == EX_FIELDS))
		e = e->first;
	if (e->kind == EX_STRING) {
		n = MIN(e->len, (uint32_t)VALUE_MAX);
		memcpy(out, e->text, n);
		return (int)n;
	}
	if (e->kind == EX_INT)
		return memcpy(out, &(int32_t){(int32_t)e->num}, 4) ? 4 : 0;
	if (e->kind != EX_LIST && e->kind != EX_FIELDS)
		return -1;
	for (const struct drill_expr *v = e->first; v; v = v->next) {
		uint32_t size = wide ? 8 : 4;
		if (v->kind != EX_INT || n + size > VALUE_MAX)
			return -1;
		memcpy(out + n, &v->num, size); /* little-endian */
		n += size;
	}
	return (int)n;
}

static int64_t do_setsockopt(struct drill_run *r, const struct drill_call *c)
{
	uint8_t value[VALUE_MAX] = {0};
	int64_t err, level = call_int(r, c, 1, 0), name = call_int(r, c, 2, 0), len = call_int(r, c, 4, 0);
	struct drill_file *f = call_socket(r, c, 0, &err);
	if (!f)
		return err;
	if (call_arg(c, 3)->kind == EX_NULL)
		return len > 0 ? -EFAULT : -EINVAL;
	int n = value_bytes(call_arg(c, 3), is_time(level, name), value);
	if (n < 0 || len < 0) {
		drill_fail(r, r->under.e->line, "setsockopt(): a value is [N], [N, N], {onoff=N, linger=N} or a string");
		return CALL_BROKEN;
	}
	/* Scripts name lengths shorter than a string's freely: the text counts. */
	uint32_t used = call_arg(c, 4)->kind == EX_ELLIPSIS ? (uint32_t)n : (uint32_t)MIN(len, (int64_t)VALUE_MAX);
	return via_setsockopt(r->v, f->s, (int)level, (int)name, value, used);
}

static int64_t do_getsockopt(struct drill_run *r, const struct drill_call *c)
{
	uint8_t seen[VALUE_MAX] = {0}, want[VALUE_MAX] = {0};
	int64_t err, level = call_int(r, c, 1, 0), name = call_int(r, c, 2, 0);
	struct drill_file *f = call_socket(r, c, 0, &err);
	const struct drill_expr *value = call_arg(c, 3), *room = call_arg(c, 4);
	uint32_t len = (uint32_t)MIN(MAX(call_int(r, c, 4, VALUE_MAX), 0), VALUE_MAX);
	if (!f)
		return err;
	err = via_getsockopt(r->v, f->s, (int)level, (int)name, seen, &len);
	if (err)
		return err;
	if (room->kind == EX_LIST && room->first && room->first->kind == EX_INT && value->kind != EX_STRING && room->first->num != len)
		return call_number_differs(r, "length", room->first->num, len, false);
	int n = value_bytes(value, is_time(level, name), want);
	if (n <= 0 || memcmp(seen, want, (size_t)n) == 0)
		return 0;
	int32_t a, b;
	memcpy(&a, want, sizeof(a));
	memcpy(&b, seen, sizeof(b));
	if (value->kind == EX_STRING || (value->first && value->first->kind == EX_STRING))
		return call_differs(r, "value", (const char *)want, (const char *)seen);
	return call_number_differs(r, "value", a, b, false);
}

static int64_t do_ioctl(struct drill_run *r, const struct drill_call *c)
{
	int64_t err, what = call_int(r, c, 1, 0), n;
	struct drill_file *f = call_socket(r, c, 0, &err);
	const struct drill_expr *value = call_arg(c, 2);
	if (!f)
		return err;
	switch (what) {
	case SIOCINQ:
		n = via_inq(r->v, f->s);
		break;
	case SIOCOUTQ:
		n = via_outq(r->v, f->s);
		break;
	case FIONBIO:
		f->nonblock = call_int(r, c, 2, 0);
		return 0;
	default:
		return -ENOTTY;
	}
	if (n < 0)
		return n;
	if (value->kind == EX_LIST && value->first && value->first->kind == EX_INT && value->first->num != n)
		return call_number_differs(r, "value", value->first->num, n, false);
	return 0;
}

call_fn call_of_option(const char *name)
{
	static const struct {
		const char *name;
		call_fn fn;
	} calls[] = {{"setsockopt", do_setsockopt}, {"getsockopt", do_getsockopt}, {"ioctl", do_ioctl}};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].fn;
	return NULL;
}
