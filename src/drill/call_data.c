/* drill/call_data.c - calls that move bytes.
 *
 * What is written is drill_byte() of its place in the stream, and what is read must be, so payload that the stack misplaces is
 * found without a word in the script. Buffers are `...`; NULL is a bad address. */
#include "drill/call.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <linux/tcp.h>

enum { BUFFER_MAX = 64 << 20, PIPE_ROOM = 65536 };
enum { FLAGS_KNOWN = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_MORE | MSG_PEEK | MSG_TRUNC | MSG_WAITALL | MSG_OOB |
       MSG_ZEROCOPY /* copied, as Linux may */ };

/* What a call has to say about its bytes. */
struct span {
	struct drill_file *f;
	int64_t len;
	int flags;
	bool is_null; /* the buffer is no address */
	const struct drill_expr *to; /* of a datagram; or NULL */
};

static int64_t check_span(struct drill_run *r, const struct span *s)
{
	if (s->flags & ~FLAGS_KNOWN) {
		drill_fail(r, r->under.e->line, "%s(): a flag of %#x is not built", r->under.e->call->name, (unsigned)(s->flags & ~FLAGS_KNOWN));
		return CALL_BROKEN;
	}
	if (s->len < 0)
		return -EINVAL;
	if (s->len > BUFFER_MAX) {
		drill_fail(r, r->under.e->line, "more than %d bytes at once", BUFFER_MAX);
		return CALL_BROKEN;
	}
	return 0;
}

static int64_t send_datagram(struct drill_run *r, const struct span *s, uint8_t *data)
{
	struct via_sockaddr to = {via_addr_v4(r->cfg.remote), r->cfg.connect_port}, local, peer;
	for (int64_t i = 0; i < s->len; i++)
		data[i] = drill_byte((uint32_t)i);
	const struct drill_expr *p = s->to ? call_field(s->to, "sin_port") : NULL, *a = s->to ? call_field(s->to, "sin_addr") : NULL;
	if (p && a)
		to = (struct via_sockaddr){via_addr_v4((uint32_t)a->num), (uint16_t)p->num};
	bool joined = via_peer(r->v, s->f->s, &peer) == 0;
	int64_t n = via_sendto(r->v, s->f->s, data, (uint32_t)s->len, 0, s->to && !joined ? &to : NULL);
	if (n >= 0 && s->f->flow < 0 && via_local(r->v, s->f->s, &local) == 0) {
		drill_flow_new(r, DRILL_UDP, via_addr_to_v4(&to.addr), local.port, to.port, (int)(s->f - r->files));
		s->f->flow = r->flow;
	}
	return n;
}

/* As much of the rest as fits now. */
static int64_t send_stream(struct drill_run *r, const struct span *s, uint8_t *data)
{
	uint32_t rest = (uint32_t)(s->len - r->under.done);
	if (r->under.tries > 0 && !(via_ready(r->v, s->f->s) & (VIA_OUT | VIA_ERR | VIA_HUP)))
		return -EAGAIN;
	for (uint32_t i = 0; i < rest; i++)
		data[i] = drill_byte(s->f->wpos + i);
	int64_t n = via_send(r->v, s->f->s, data, rest, (s->flags & MSG_MORE ? VIA_MORE : 0) | (s->flags & MSG_OOB ? VIA_OOB : 0));
	if (n > 0)
		s->f->wpos += (uint32_t)n;
	return n;
}

static int64_t send_span(struct drill_run *r, const struct span *s)
{
	int64_t err = check_span(r, s);
	if (err || (s->len == 0 && s->f->type == VIA_STREAM))
		return err;
	if (s->is_null && s->len > 0) {
		int64_t probe = via_ready(r->v, s->f->s) & VIA_OUT;
		return probe ? -EFAULT : via_send(r->v, s->f->s, "", 0, 0) < 0 ? -EPIPE : -EFAULT;
	}
	uint8_t *data = malloc((size_t)MAX(s->len, 1));
	if (!data)
		return -ENOMEM;
	bool stream = s->f->type == VIA_STREAM;
	int64_t n = stream ? send_stream(r, s, data) : send_datagram(r, s, data);
	free(data);
	if (n < 0 && n != -EAGAIN)
		return r->under.done ? r->under.done : n;
	r->under.done += MAX(n, 0);
	if (!stream || r->under.done == s->len)
		return stream ? r->under.done : n;
	n = call_would_wait(r, s->f, s->flags, SO_SNDTIMEO);
	return n == -EAGAIN && r->under.done ? r->under.done : n;
}

static bool bytes_are_right(struct drill_run *r, const struct span *s, const uint8_t *data, int64_t n)
{
	bool stream = s->f->type == VIA_STREAM;
	if (s->f->flow >= 0 && r->flows[s->f->flow].was_urgent)
		return true;
	for (int64_t i = 0; i < n; i++)
		if (data[i] != drill_byte((stream ? s->f->rpos : 0) + (uint32_t)i))
			return drill_fail(r, r->under.e->line, "%s(): byte %lld is not the one that was sent", r->under.e->call->name,
					  (long long)i);
	return true;
}

static int64_t recv_span(struct drill_run *r, const struct span *s)
{
	int64_t err = check_span(r, s);
	if (err)
		return err;
	if (s->is_null && s->len > 0 && via_inq(r->v, s->f->s) > 0)
		return -EFAULT;
	uint8_t *data = malloc((size_t)MAX(s->len, 1));
	if (!data)
		return -ENOMEM;
	int flags = (s->flags & MSG_PEEK ? VIA_PEEK : 0) | (s->flags & MSG_TRUNC ? VIA_TRUNC : 0) | (s->flags & MSG_OOB ? VIA_OOB : 0);
	bool stream = s->f->type == VIA_STREAM, all = s->flags & MSG_WAITALL && stream;
	int64_t n = stream ? via_recv(r->v, s->f->s, data, (uint32_t)(s->len - r->under.done), flags)
			   : via_recvfrom(r->v, s->f->s, data, (uint32_t)s->len, flags, NULL, NULL);
	if (n > 0 && !bytes_are_right(r, s, data, MIN(n, s->len)))
		n = CALL_BROKEN;
	free(data);
	if (n == CALL_BROKEN)
		return n;
	if (n > 0 && !(flags & VIA_PEEK))
		s->f->rpos += (uint32_t)n;
	if (all && (n > 0 || r->under.done)) {
		r->under.done += MAX(n, 0);
		if (r->under.done == s->len || n == 0 || (n < 0 && n != -EAGAIN))
			return r->under.done;
		n = call_would_wait(r, s->f, s->flags, SO_RCVTIMEO);
		return n == -EAGAIN ? r->under.done : n;
	}
	return n == -EAGAIN ? call_would_wait(r, s->f, s->flags, SO_RCVTIMEO) : n;
}

/* read, recv, recvfrom, write, send, sendto: (fd, buffer, length[, flags[, address, length]]) */
static int64_t plain(struct drill_run *r, const struct drill_call *c, struct span *s)
{
	int64_t err;
	s->f = call_socket(r, c, 0, &err);
	s->is_null = call_arg(c, 1)->kind == EX_NULL;
	s->len = call_int(r, c, 2, 0);
	s->flags = (int)call_int(r, c, 3, 0);
	return err;
}

static int64_t do_send(struct drill_run *r, const struct drill_call *c)
{
	struct span s = {0};
	int64_t err = plain(r, c, &s);
	if (strcmp(c->name, "sendto") == 0 && call_arg(c, 4)->kind != EX_NULL)
		s.to = call_arg(c, 4);
	return err ? err : send_span(r, &s);
}

static int64_t do_recv(struct drill_run *r, const struct drill_call *c)
{
	struct span s = {0};
	int64_t err = plain(r, c, &s);
	return err ? err : recv_span(r, &s);
}

/* [{..., 10}, {NULL, 3}]: how many bytes; one NULL with a length makes all a bad address. */
static void iov_span(struct drill_run *r, const struct drill_expr *list, struct span *s)
{
	for (const struct drill_expr *e = list && list->kind == EX_LIST ? list->first : NULL; e; e = e->next) {
		const struct drill_expr *base = e->kind == EX_LIST ? e->first : NULL, *len = base ? base->next : NULL;
		if (!len || len->kind != EX_INT) {
			drill_fail(r, r->under.e->line, "an iovec is {..., LENGTH}");
			return;
		}
		s->len += len->num;
		s->is_null |= base->kind == EX_NULL && len->num > 0;
	}
}

static int64_t do_vector(struct drill_run *r, const struct drill_call *c)
{
	struct span s = {0};
	int64_t err;
	s.f = call_socket(r, c, 0, &err);
	iov_span(r, call_arg(c, 1), &s);
	if (!s.f || r->has_failed)
		return err ? err : CALL_BROKEN;
	return c->name[0] == 'w' ? send_span(r, &s) : recv_span(r, &s);
}

static int64_t message(struct drill_run *r, const struct drill_call *c, struct span *s)
{
	int64_t err;
	const struct drill_expr *m = call_arg(c, 1);
	s->f = call_socket(r, c, 0, &err);
	if (m->kind == EX_NULL)
		return s->f ? -EFAULT : err;
	iov_span(r, call_field(m, "msg_iov"), s);
	s->flags = (int)call_int(r, c, 2, 0);
	return r->has_failed ? CALL_BROKEN : err;
}

static int64_t do_sendmsg(struct drill_run *r, const struct drill_call *c)
{
	struct span s = {0};
	int64_t err = message(r, c, &s);
	const struct drill_expr *name = call_field(call_arg(c, 1), "msg_name");
	s.to = name && name->kind != EX_NULL ? name : NULL;
	return err ? err : send_span(r, &s);
}

/* As Linux's tcp_inq_hint(): what is left to read, and 1 for the end of the stream. */
static int64_t inq_hint(struct drill_run *r, const struct drill_file *f)
{
	int64_t n = via_inq(r->v, f->s);
	return n == 0 && via_ready(r->v, f->s) & VIA_RDHUP ? 1 : MAX(n, 0);
}

/* The ancillary data of a received message: TCP_CM_INQ is the only kind. */
static int64_t check_control(struct drill_run *r, const struct drill_file *f, const struct drill_expr *list)
{
	const struct drill_expr *e = list && list->kind == EX_LIST ? list->first : NULL;
	if (!list || list->kind == EX_ELLIPSIS)
		return 0;
	int is_inq = 0;
	uint32_t len = sizeof(is_inq);
	via_getsockopt(r->v, f->s, IPPROTO_TCP, TCP_INQ, &is_inq, &len);
	if (!e || !is_inq)
		return !e == !is_inq ? 0 : call_differs(r, "msg_control", e ? "some" : "none", is_inq ? "TCP_CM_INQ" : "none");
	const struct drill_expr *level = call_field(e, "cmsg_level"), *type = call_field(e, "cmsg_type"), *data = call_field(e, "cmsg_data");
	if (!level || !type || !data || e->next || level->num != IPPROTO_TCP || type->num != TCP_CM_INQ)
		return call_differs(r, "msg_control", "something else", "TCP_CM_INQ alone");
	int64_t n = inq_hint(r, f);
	return data->kind == EX_INT && data->num != n ? call_number_differs(r, "TCP_CM_INQ", data->num, n, false) : 0;
}

static int64_t do_recvmsg(struct drill_run *r, const struct drill_call *c)
{
	struct span s = {0};
	int64_t err = message(r, c, &s);
	if (err)
		return err;
	int64_t n = recv_span(r, &s), bad;
	const struct drill_expr *m = call_arg(c, 1), *flags = call_field(m, "msg_flags");
	if (n < 0)
		return n;
	int seen = s.f->type != VIA_STREAM && n > s.len ? MSG_TRUNC : 0;
	if (flags && flags->kind == EX_INT && flags->num != seen)
		return call_number_differs(r, "msg_flags", flags->num, seen, true);
	bad = n > 0 ? check_control(r, s.f, call_field(m, "msg_control")) : 0;
	return bad ? bad : n;
}

/* sendfile(to, from, [offset], count) */
static int64_t do_sendfile(struct drill_run *r, const struct drill_call *c)
{
	struct span s = {0};
	int64_t err;
	const struct drill_file *from = call_file(r, c, 1);
	s.f = call_socket(r, c, 0, &err);
	s.len = call_int(r, c, 3, 0);
	if (!s.f || !from)
		return err ? err : -EBADF;
	return from->kind == FILE_ZEROS ? send_span(r, &s) : -EINVAL;
}

/* splice(from, NULL, to, NULL, count, flags): between a socket and a pipe. */
static int64_t do_splice(struct drill_run *r, const struct drill_call *c)
{
	struct drill_file *from = call_file(r, c, 0), *to = call_file(r, c, 2);
	struct span s = {.len = call_int(r, c, 4, 0)};
	if (!from || !to)
		return -EBADF;
	bool in = from->kind == FILE_SOCKET && to->other >= 0, out = to->kind == FILE_SOCKET && from->other >= 0;
	if (!in && !out)
		return -EINVAL;
	struct drill_file *pipe = in ? to : from, *end = &r->files[pipe->other];
	s.f = in ? from : to;
	s.len = MIN(s.len, in ? PIPE_ROOM - pipe->bytes : pipe->bytes);
	if (s.len <= 0)
		return s.f->nonblock ? -EAGAIN : CALL_WAIT;
	int64_t n = in ? recv_span(r, &s) : send_span(r, &s);
	if (n > 0) {
		pipe->bytes += in ? n : -n;
		end->bytes = pipe->bytes;
	}
	return n;
}

call_fn call_of_data(const char *name)
{
	static const struct {
		const char *name;
		call_fn fn;
	} calls[] = {
		{"write", do_send}, {"send", do_send}, {"sendto", do_send}, {"read", do_recv}, {"recv", do_recv}, {"recvfrom", do_recv},
		{"readv", do_vector}, {"writev", do_vector}, {"sendmsg", do_sendmsg}, {"recvmsg", do_recvmsg}, {"sendfile", do_sendfile},
		{"splice", do_splice},
	};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].fn;
	return NULL;
}
