/* lab/probe.h - ask an address something that it or a router on the way answers: what ping and trace are made of.
 *
 * Probes are numbered from 1. They leave by the node's sockets, as a program's would: echo requests, datagrams to ports that count
 * up, or SYNs. Answers come two ways: by the sockets (echo replies, opened or refused connections), and as ICMP errors, of
 * which the node's frames tell more than a socket: who sent it and which packet it quotes. */
#ifndef LAB_PROBE_H
#define LAB_PROBE_H

#include "lab/state.h"
#include "lab/watch.h"

enum probe_kind { PROBE_ICMP, PROBE_UDP, PROBE_TCP };
#define PROBE_TCP_MAX 128 /* SYNs under way */
#define PROBE_BYTES_MAX 65507u

struct probe_answer {
	uint16_t n;
	struct via_addr from;
	bool is_error;      /* by ICMP; else the target itself answered */
	bool is_end;        /* of an error: the way ends there, it is not for the TTL */
	uint8_t type, code; /* of the ICMP error, in the family of `from`; a local one is "host unreachable" from ourselves */
	uint32_t mtu;       /* of the next link, in "fragmentation needed" */
	uint8_t ttl;        /* of an echo reply; 0: not known */
	uint32_t bytes;     /* of an echo reply: ICMP header and data */
};

struct prober {
	struct via_handler handler; /* first */
	struct lab_watch watch;
	struct lab_node *node;
	enum probe_kind kind;
	struct via_addr to, self;   /* self: what we are there; any: there is no way */
	uint16_t port, lport;       /* UDP: probe n goes to the target's port + n; TCP: its port */
	uint32_t bytes;             /* ICMP, UDP: of data */
	uint8_t *message;           /* what is sent */
	via_sock sock;              /* ICMP, UDP */
	struct {
		via_sock sock;
		uint16_t n, lport;
	} tcp[PROBE_TCP_MAX];
	uint16_t last;              /* number of the last probe */
	uint8_t ttl_of[16];         /* of the echo replies that came last, by n % 16 */
	bool has_seen_error;        /* an error that the socket will tell of too */
	/* Takes notes, may wake a task; makes no socket calls. */
	void (*answered)(struct prober *p, const struct probe_answer *a);
};

/* node, kind, to, port, bytes and answered are set. 0 or -errno. */
int prober_open(struct prober *p);
void prober_close(struct prober *p);
/* An IP option of the probes to come (Linux's names). 0 or -errno. */
int prober_option(struct prober *p, int name, int value);
/* Probe n with this TTL (0: the stack's own), from a task whose socket calls lab_task_calls() announced. 0 or -errno. */
int prober_send(struct prober *p, uint16_t n, int ttl);
/* Nobody waits for an answer to probe n any more; of TCP's, its socket is needed for others. */
void prober_forget(struct prober *p, uint16_t n);

/* The target that a word means: an address, or a name in the lab ("sina", "sina.lab"); family: 4, 6, or 0: IPv4 if the node has it.
 * 0, or -EINVAL. */
int probe_target(const struct lab *l, const char *word, int family, struct via_addr *out);
/* The node that has this address, or NULL. */
const char *probe_name(const struct lab *l, const struct via_addr *a);

#endif
