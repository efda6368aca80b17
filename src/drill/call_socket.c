/* drill/call_socket.c - calls that make, name, join and end sockets and other descriptors. */
#include "drill/call.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <netinet/tcp.h>

static int64_t do_socket(struct drill_run *r, const struct drill_call *c)
{
	int64_t domain = call_int(r, c, 0, AF_INET), type = call_int(r, c, 1, SOCK_STREAM), proto = call_int(r, c, 2, 0);
	int kind = (int)type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (domain != AF_INET)
		return -EAFNOSUPPORT;
	if (kind != SOCK_STREAM && kind != SOCK_DGRAM)
		return -ESOCKTNOSUPPORT;
	if (kind == SOCK_STREAM ? proto && proto != IPPROTO_TCP : proto && proto != IPPROTO_UDP && proto != IPPROTO_ICMP)
		return -EPROTONOSUPPORT;
	int64_t fd = call_new_file(r, c, c->result->kind == EX_INT ? c->result->num : -1, FILE_SOCKET);
	if (fd < 0)
		return fd;
	struct drill_file *f = &r->files[fd];
	f->type = kind == SOCK_STREAM ? VIA_STREAM : proto == IPPROTO_ICMP ? VIA_PING : VIA_DGRAM;
	f->nonblock = type & SOCK_NONBLOCK;
	int err = via_open(r->v, f->type, (uint64_t)fd, &f->s);
	if (err) {
		f->kind = FILE_NONE;
		return err;
	}
	if (r->cc[0] && f->type == VIA_STREAM)
		via_setsockopt(r->v, f->s, IPPROTO_TCP, TCP_CONGESTION, r->cc, (uint32_t)strlen(r->cc));
	return fd;
}

/* {sa_family=AF_INET, sin_port=htons(N), sin_addr=inet_addr("...")}, or `...`: the script's own ends. */
static int64_t address(struct drill_run *r, const struct drill_expr *e, uint32_t ip, uint16_t port, struct via_sockaddr *out)
{
	*out = (struct via_sockaddr){via_addr_v4(ip), port};
	if (e->kind == EX_ELLIPSIS)
		return 0;
	if (e->kind == EX_NULL)
		return -EFAULT;
	const struct drill_expr *family = call_field(e, "sa_family"), *p = call_field(e, "sin_port"), *a = call_field(e, "sin_addr");
	if (!family || !p || !a) {
		drill_fail(r, r->under.e->line, "an address is ... or {sa_family=AF_INET, sin_port=htons(N), sin_addr=inet_addr(\"A\")}");
		return CALL_BROKEN;
	}
	*out = (struct via_sockaddr){via_addr_v4((uint32_t)a->num), (uint16_t)p->num};
	return family->num == AF_INET ? 0 : -EAFNOSUPPORT;
}

static int64_t do_bind(struct drill_run *r, const struct drill_call *c)
{
	int64_t err;
	struct via_sockaddr a;
	struct drill_file *f = call_socket(r, c, 0, &err);
	if (!f || (err = address(r, call_arg(c, 1), r->cfg.local, r->cfg.bind_port, &a)) != 0)
		return err;
	err = via_bind(r->v, f->s, &a);
	if (err == 0 && f->type == VIA_DGRAM) {
		drill_flow_new(r, DRILL_UDP, r->cfg.remote, a.port, r->cfg.connect_port, (int)call_int(r, c, 0, -1));
		f->flow = r->flow;
	}
	return err;
}

static int64_t do_listen(struct drill_run *r, const struct drill_call *c)
{
	int64_t err;
	struct drill_file *f = call_socket(r, c, 0, &err);
	if (!f)
		return err;
	err = via_listen(r->v, f->s, (int)call_int(r, c, 1, 128));
	f->listens |= err == 0;
	return err;
}

static int64_t do_accept(struct drill_run *r, const struct drill_call *c)
{
	int64_t err;
	via_sock s;
	struct via_sockaddr peer, local;
	struct drill_file *f = call_socket(r, c, 0, &err);
	if (!f)
		return err;
	err = via_accept(r->v, f->s, 0, &s, &peer);
	if (err)
		return err == -EAGAIN ? call_would_wait(r, f, 0, SO_RCVTIMEO) : err;
	int64_t fd = call_new_file(r, c, c->result->kind == EX_INT ? c->result->num : -1, FILE_SOCKET);
	if (fd < 0) {
		via_close(r->v, s);
		return fd;
	}
	struct drill_file *n = &r->files[fd];
	n->s = s;
	n->type = VIA_STREAM;
	n->nonblock = strcmp(c->name, "accept4") == 0 && call_int(r, c, 3, 0) & SOCK_NONBLOCK;
	via_set_cookie(r->v, s, (uint64_t)fd);
	via_local(r->v, s, &local);
	struct drill_tuple t = {.dst = via_addr_to_v4(&peer.addr), .sport = local.port, .dport = peer.port};
	struct drill_flow *flow = drill_flow_of(r, DRILL_TCP, &t);
	if (flow) {
		flow->fd = (int)fd;
		n->flow = (int)(flow - r->flows);
	}
	return fd;
}

/* A connect that was under way has ended, or not. */
static int64_t connect_ended(struct drill_run *r, const struct drill_file *f)
{
	int e = 0;
	uint32_t len = sizeof(e);
	if (!(via_ready(r->v, f->s) & (VIA_OUT | VIA_ERR | VIA_HUP)))
		return call_would_wait(r, f, 0, SO_SNDTIMEO) == -EAGAIN ? -EINPROGRESS : CALL_WAIT;
	via_getsockopt(r->v, f->s, SOL_SOCKET, SO_ERROR, &e, &len);
	return -e;
}

static int64_t do_connect(struct drill_run *r, const struct drill_call *c)
{
	int64_t err;
	struct via_sockaddr to, local;
	struct drill_file *f = call_socket(r, c, 0, &err);
	if (!f || (err = address(r, call_arg(c, 1), r->cfg.remote, r->cfg.connect_port, &to)) != 0)
		return err;
	if (r->under.tries > 0)
		return connect_ended(r, f);
	err = via_connect(r->v, f->s, &to);
	if (err && err != -EINPROGRESS)
		return err;
	if (f->flow < 0 && via_local(r->v, f->s, &local) == 0) {
		enum drill_proto proto = f->type == VIA_STREAM ? DRILL_TCP : DRILL_UDP;
		if (!drill_flow_new(r, proto, via_addr_to_v4(&to.addr), local.port, to.port, (int)call_int(r, c, 0, -1)))
			return CALL_BROKEN;
		f->flow = r->flow;
	}
	return err == -EINPROGRESS && !f->nonblock ? CALL_WAIT : err;
}

static int64_t do_shutdown(struct drill_run *r, const struct drill_call *c)
{
	int64_t err, how = call_int(r, c, 1, SHUT_RDWR);
	struct drill_file *f = call_socket(r, c, 0, &err);
	if (!f)
		return err;
	return how < 0 || how > 2 ? -EINVAL : via_shutdown(r->v, f->s, (enum via_how)how);
}

static void forget(struct drill_run *r, int fd)
{
	for (int i = 0; i < DRILL_FILES; i++)
		for (int w = 0; r->files[i].kind == FILE_EPOLL && w < DRILL_WATCHES; w++)
			if (r->files[i].watches[w].fd == fd)
				r->files[i].watches[w].fd = -1;
	for (int i = 0; i < r->n_flows; i++)
		if (r->flows[i].fd == fd)
			r->flows[i].fd = -1;
}

static int64_t do_close(struct drill_run *r, const struct drill_call *c)
{
	struct drill_file *f = call_file(r, c, 0);
	if (!f)
		return -EBADF;
	int64_t err = f->kind == FILE_SOCKET ? via_close(r->v, f->s) : 0;
	forget(r, (int)(f - r->files));
	free(f->watches);
	*f = (struct drill_file){0};
	return err;
}

/* A file of a script holds whatever its reader needs: bytes without end. */
static int64_t do_open(struct drill_run *r, const struct drill_call *c)
{
	return call_new_file(r, c, c->result->kind == EX_INT ? c->result->num : -1, FILE_ZEROS);
}

static int64_t do_pipe(struct drill_run *r, const struct drill_call *c)
{
	const struct drill_expr *a = call_arg(c, 0), *b = a->kind == EX_LIST && a->first ? a->first->next : NULL;
	int64_t in = call_new_file(r, c, b ? a->first->num : -1, FILE_PIPE_READ);
	int64_t out = in < 0 ? in : call_new_file(r, c, b ? b->num : -1, FILE_PIPE_WRITE);
	if (out < 0)
		return out;
	/* Scripts of splice() name the ends either way round: each of them can be read and written. */
	r->files[in].other = (int)out;
	r->files[out].other = (int)in;
	return 0;
}

static int64_t do_fcntl(struct drill_run *r, const struct drill_call *c)
{
	struct drill_file *f = call_file(r, c, 0);
	int64_t what = call_int(r, c, 1, 0), v = call_int(r, c, 2, 0);
	if (!f)
		return -EBADF;
	switch (what) {
	case F_GETFL:
		return O_RDWR | (f->nonblock ? O_NONBLOCK : 0);
	case F_SETFL:
		f->nonblock = v & O_NONBLOCK;
		return 0;
	case F_GETFD:
	case F_SETFD:
		return 0;
	default:
		return -EINVAL;
	}
}

call_fn call_of_socket(const char *name)
{
	static const struct {
		const char *name;
		call_fn fn;
	} calls[] = {
		{"socket", do_socket}, {"bind", do_bind}, {"listen", do_listen}, {"accept", do_accept}, {"accept4", do_accept},
		{"connect", do_connect}, {"shutdown", do_shutdown}, {"close", do_close}, {"open", do_open}, {"pipe", do_pipe},
		{"fcntl", do_fcntl},
	};
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].fn;
	return NULL;
}
