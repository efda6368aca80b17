/* viaduct/tcp_info.h - what getsockopt(TCP_INFO) gives: Linux's struct tcp_info as of 6.18, whatever age the system's headers are of.
 *
 * Names, order and meaning are Linux's (include/uapi/linux/tcp.h, tcp_get_info()). A caller may ask for fewer bytes. Zero for ever are
 * tcpi_fackets and tcpi_last_ack_sent, as in Linux; tcpi_rehash, since no flow changes its way here; and what belongs to AccECN. */
#ifndef VIADUCT_TCP_INFO_H
#define VIADUCT_TCP_INFO_H

#include <stdint.h>

struct via_tcp_info {
	uint8_t tcpi_state, tcpi_ca_state, tcpi_retransmits, tcpi_probes, tcpi_backoff, tcpi_options;
	uint8_t tcpi_snd_wscale : 4, tcpi_rcv_wscale : 4;
	uint8_t tcpi_delivery_rate_app_limited : 1, tcpi_fastopen_client_fail : 2;
	uint32_t tcpi_rto, tcpi_ato, tcpi_snd_mss, tcpi_rcv_mss;                       /* times: µs */
	uint32_t tcpi_unacked, tcpi_sacked, tcpi_lost, tcpi_retrans, tcpi_fackets;     /* segments */
	uint32_t tcpi_last_data_sent, tcpi_last_ack_sent, tcpi_last_data_recv, tcpi_last_ack_recv; /* ms ago */
	uint32_t tcpi_pmtu, tcpi_rcv_ssthresh, tcpi_rtt, tcpi_rttvar, tcpi_snd_ssthresh, tcpi_snd_cwnd, tcpi_advmss, tcpi_reordering;
	uint32_t tcpi_rcv_rtt, tcpi_rcv_space;
	uint32_t tcpi_total_retrans;
	uint64_t tcpi_pacing_rate, tcpi_max_pacing_rate; /* bytes/s; all ones: none */
	uint64_t tcpi_bytes_acked, tcpi_bytes_received;  /* SYN of an active open and FIN count, as in Linux */
	uint32_t tcpi_segs_out, tcpi_segs_in;
	uint32_t tcpi_notsent_bytes;
	uint32_t tcpi_min_rtt;
	uint32_t tcpi_data_segs_in, tcpi_data_segs_out;
	uint64_t tcpi_delivery_rate;
	uint64_t tcpi_busy_time, tcpi_rwnd_limited, tcpi_sndbuf_limited; /* µs, in steps of 1 ms */
	uint32_t tcpi_delivered, tcpi_delivered_ce;
	uint64_t tcpi_bytes_sent, tcpi_bytes_retrans;
	uint32_t tcpi_dsack_dups, tcpi_reord_seen, tcpi_rcv_ooopack;
	uint32_t tcpi_snd_wnd, tcpi_rcv_wnd;
	uint32_t tcpi_rehash;
	uint16_t tcpi_total_rto, tcpi_total_rto_recoveries;
	uint32_t tcpi_total_rto_time; /* ms */
	uint32_t tcpi_accecn[8];
};

#endif
