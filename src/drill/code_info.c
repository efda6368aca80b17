/* drill/code_info.c - what code sees of the current connection: tcp_info by the field's names. */
#include "drill/state.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <viaduct/tcp_info.h>

#define BYTE(f) {#f, offsetof(struct via_tcp_info, f), 1}
#define WORD(f) {#f, offsetof(struct via_tcp_info, f), 4}
#define LONG(f) {#f, offsetof(struct via_tcp_info, f), 8}
static const struct {
	const char *name;
	size_t at, bytes;
} fields[] = {
	BYTE(tcpi_state), BYTE(tcpi_ca_state), BYTE(tcpi_retransmits), BYTE(tcpi_probes), BYTE(tcpi_backoff), BYTE(tcpi_options),
	WORD(tcpi_rto), WORD(tcpi_ato), WORD(tcpi_snd_mss), WORD(tcpi_rcv_mss), WORD(tcpi_unacked), WORD(tcpi_sacked), WORD(tcpi_lost),
	WORD(tcpi_retrans), WORD(tcpi_fackets), WORD(tcpi_last_data_sent), WORD(tcpi_last_ack_sent), WORD(tcpi_last_data_recv),
	WORD(tcpi_last_ack_recv), WORD(tcpi_pmtu), WORD(tcpi_rcv_ssthresh), WORD(tcpi_rtt), WORD(tcpi_rttvar), WORD(tcpi_snd_ssthresh),
	WORD(tcpi_snd_cwnd), WORD(tcpi_advmss), WORD(tcpi_reordering), WORD(tcpi_rcv_rtt), WORD(tcpi_rcv_space),
	WORD(tcpi_total_retrans), LONG(tcpi_pacing_rate), LONG(tcpi_max_pacing_rate), LONG(tcpi_bytes_acked), LONG(tcpi_bytes_received),
	WORD(tcpi_segs_out), WORD(tcpi_segs_in), WORD(tcpi_notsent_bytes), WORD(tcpi_min_rtt), WORD(tcpi_data_segs_in),
	WORD(tcpi_data_segs_out), LONG(tcpi_delivery_rate), LONG(tcpi_busy_time), LONG(tcpi_rwnd_limited), LONG(tcpi_sndbuf_limited),
	WORD(tcpi_delivered), WORD(tcpi_delivered_ce), LONG(tcpi_bytes_sent), LONG(tcpi_bytes_retrans), WORD(tcpi_dsack_dups),
	WORD(tcpi_reord_seen), WORD(tcpi_rcv_ooopack), WORD(tcpi_snd_wnd), WORD(tcpi_rcv_wnd), WORD(tcpi_rehash),
	{"tcpi_total_rto", offsetof(struct via_tcp_info, tcpi_total_rto), 2},
	{"tcpi_total_rto_recoveries", offsetof(struct via_tcp_info, tcpi_total_rto_recoveries), 2}, WORD(tcpi_total_rto_time),
};

static bool lookup(void *ctx, const char *name, int64_t *value)
{
	const struct via_tcp_info *info = ctx;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		uint64_t v = 0; /* both orders of bytes would do with a copy into the right end; ours are little-endian machines */
		memcpy(&v, (const char *)info + fields[i].at, fields[i].bytes);
		*value = (int64_t)v;
		return true;
	}
	bool is_ws = strcmp(name, "tcpi_snd_wscale") == 0 || strcmp(name, "tcpi_rcv_wscale") == 0;
	if (is_ws)
		*value = name[5] == 's' ? info->tcpi_snd_wscale : info->tcpi_rcv_wscale;
	return is_ws || drill_symbol(name, value);
}

bool drill_code(struct drill_run *r, const struct drill_event *e)
{
	struct via_tcp_info info = {.tcpi_state = 7 /* TCP_CLOSE */};
	const struct drill_flow *f = drill_flow_now(r);
	struct drill_code_result res;
	char out[1024];
	uint32_t len = sizeof(info);
	if (f && f->fd >= 0 && r->files[f->fd].kind == FILE_SOCKET)
		via_getsockopt(r->v, r->files[f->fd].s, IPPROTO_TCP, TCP_INFO, &info, &len); /* a closed one has none: as above */
	bool well = drill_code_run(e->text, &r->vars, lookup, &info, out, sizeof(out), &res);
	if (r->how->verbose)
		fputs(out, r->how->out);
	return well ? true : drill_fail(r, e->line + res.line - 1, "%s", res.text);
}
