/* test/unit/test_pcapng.c - the capture file, read back by a naive reader written from the pcapng draft. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "driver/pcapng.h"
#include "host/node.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MEM_BYTES = 8 << 20, FILE_MAX = 1 << 20 };

/* --- a naive reader --- */

struct frame_seen {
	uint32_t iface, flags, len;
	uint64_t when;
	char comment[128];
	uint8_t data[9100];
};

struct file_seen {
	char app[64];
	int n_ifaces, n_frames;
	struct {
		char name[64];
		int linktype, tsresol;
	} iface[4];
	struct frame_seen frame[64];
};

static uint32_t u32(const uint8_t *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

static uint16_t u16(const uint8_t *p)
{
	uint16_t v;
	memcpy(&v, p, 2);
	return v;
}

/* The value of option `code` among those at p, as bytes; -1 when it is not there. */
static int option(const uint8_t *p, const uint8_t *end, int code, void *out, size_t room)
{
	while (p + 4 <= end && u16(p) != 0) {
		unsigned n = u16(p + 2);
		assert_true(p + 4 + n <= end);
		if (u16(p) == code) {
			assert_true(n <= room);
			memcpy(out, p + 4, n);
			return (int)n;
		}
		p += 4 + (n + 3) / 4 * 4;
	}
	return -1;
}

static void read_block(const uint8_t *b, uint32_t total, bool first, struct file_seen *f)
{
	const uint8_t *end = b + total - 4;
	uint32_t type = u32(b);
	assert_int_equal(type == 0x0a0d0d0a, first);
	if (type == 0x0a0d0d0a) {
		assert_int_equal(u32(b + 8), 0x1a2b3c4d);
		assert_int_equal(u16(b + 12), 1);
		option(b + 24, end, 4, f->app, sizeof(f->app) - 1);
	} else if (type == 1) {
		f->iface[f->n_ifaces].linktype = u16(b + 8);
		uint8_t r = 0;
		assert_int_equal(option(b + 16, end, 9, &r, 1), 1);
		f->iface[f->n_ifaces].tsresol = r;
		assert_true(option(b + 16, end, 2, f->iface[f->n_ifaces].name, 63) > 0);
		f->n_ifaces++;
	} else {
		assert_int_equal(type, 6);
		struct frame_seen *e = &f->frame[f->n_frames++];
		assert_true(f->n_frames <= 64);
		e->iface = u32(b + 8);
		e->when = (uint64_t)u32(b + 12) << 32 | u32(b + 16);
		e->len = u32(b + 20);
		assert_int_equal(e->len, u32(b + 24));
		assert_true(e->len <= sizeof(e->data) && b + 28 + e->len <= end);
		memcpy(e->data, b + 28, e->len);
		const uint8_t *opts = b + 28 + (e->len + 3) / 4 * 4;
		assert_int_equal(option(opts, end, 2, &e->flags, 4), 4);
		option(opts, end, 1, e->comment, sizeof(e->comment) - 1);
	}
}

static struct file_seen *read_file(const char *path)
{
	struct file_seen *f = test_calloc(1, sizeof(*f));
	uint8_t *b = test_malloc(FILE_MAX);
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, b, FILE_MAX);
	assert_true(n > 0 && n < FILE_MAX);
	close(fd);
	for (ssize_t at = 0; at < n;) {
		uint32_t total = u32(b + at + 4);
		assert_true(total >= 12 && total % 4 == 0 && at + total <= n);
		assert_int_equal(u32(b + at + total - 4), total);
		read_block(b + at, total, at == 0, f);
		at += total;
	}
	test_free(b);
	return f;
}

/* RFC 1071, the plain way. */
static uint16_t sum16(uint32_t sum, const uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Of an IPv4 packet without options: both checksums are right. */
static bool csums_right(const uint8_t *ip, uint32_t len)
{
	uint32_t l4len = len - 20;
	return sum16(0, ip, 20) == 0xffff && sum16(sum16(ip[9] + l4len, ip + 12, 8), ip + 20, l4len) == 0xffff;
}

/* --- making packets --- */

struct capture {
	char path[32];
	struct pktmem *m;
	struct pcapng *w;
};

static struct capture capture_new(void)
{
	struct capture c = {.path = "/tmp/test_pcapng.XXXXXX"};
	int fd = mkstemp(c.path);
	assert_true(fd >= 0);
	close(fd);
	c.m = host_pktmem_new(MEM_BYTES);
	c.w = pcapng_open(c.path, "viaduct test");
	assert_non_null(c.w);
	return c;
}

static struct file_seen *capture_end(struct capture *c)
{
	assert_int_equal(pcapng_close(c->w), 0);
	struct file_seen *f = read_file(c->path);
	unlink(c->path);
	assert_int_equal(pktmem_pkts_used(c->m), 0);
	host_pktmem_free(c->m);
	return f;
}

enum { TCP = 6, UDP = 17, HDRS_TCP = 14 + 20 + 20, HDRS_UDP = 14 + 20 + 8 };

/* Ethernet, IPv4, TCP or UDP header and n payload bytes (byte i is i mod 251), with a partial checksum; all headers linear. */
static struct pkt *ip_frame(struct pktmem *m, uint8_t proto, uint32_t n)
{
	uint32_t l4 = proto == TCP ? 20 : 8;
	uint8_t h[HDRS_TCP] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};
	uint8_t *ip = h + 14, *t = ip + 20;
	ip[0] = 0x45;
	put_be16(ip + 2, (uint16_t)(20 + l4 + n));
	put_be16(ip + 4, 0xfffe); /* the id will wrap */
	ip[8] = 64;
	ip[9] = proto;
	put_be32(ip + 12, 0x0a000001);
	put_be32(ip + 16, 0x0a000002);
	put_be16(ip + 10, (uint16_t)~sum16(0, ip, 20));
	put_be16(t, 1000);
	put_be16(t + 2, 80);
	uint16_t pseudo = sum16(proto + l4 + n, ip + 12, 8);
	if (proto == TCP) {
		put_be32(t + 4, 0xfffffff0); /* the sequence number will wrap */
		t[12] = 0x50;
		t[13] = 0x80 | 0x10 | 8 | 1; /* CWR ACK PSH FIN */
		put_be16(t + 16, pseudo);
	} else {
		put_be16(t + 4, (uint16_t)(8 + n));
		put_be16(t + 6, pseudo);
	}
	struct pkt *p = pkt_new(m, PKT_HEADROOM);
	memcpy(pkt_put(p, 34 + l4), h, 34 + l4);
	for (uint32_t i = 0; i < n; i++) {
		uint8_t b = (uint8_t)(i % 251);
		assert_int_equal(pkt_append(m, p, &b, 1), 0);
	}
	p->m.csum = PKT_CSUM_PARTIAL;
	p->m.csum_start = (uint16_t)(p->head + 34);
	p->m.csum_offset = proto == TCP ? 16 : 6;
	return p;
}

/* --- tests --- */

static void pcapng__interfaces_times_flags_and_comments(void **s)
{
	struct capture c = capture_new();
	assert_int_equal(pcapng_iface(c.w, "home:eth1", VIA_L2_ETHER), 0);
	assert_int_equal(pcapng_iface(c.w, "tun0", VIA_L2_NONE), 1);
	struct pkt *p = pkt_new(c.m, 0);
	memcpy(pkt_put(p, 5), "\1\2\3\4\5", 5); /* a length that needs padding */
	int64_t when = INT64_C(1700000000123456789);
	assert_int_equal(pcapng_packet(c.w, 0, when, c.m, p, true, "loss: the link lost it"), 0);
	assert_int_equal(pcapng_packet(c.w, 1, 1, c.m, p, false, NULL), 0);
	assert_int_equal(pcapng_packet(c.w, 2, 1, c.m, p, false, NULL), -EINVAL);
	pkt_free(c.m, p);
	struct file_seen *f = capture_end(&c);
	assert_string_equal(f->app, "viaduct test");
	assert_int_equal(f->n_ifaces, 2);
	assert_string_equal(f->iface[0].name, "home:eth1");
	assert_string_equal(f->iface[1].name, "tun0");
	assert_int_equal(f->iface[0].linktype, 1);
	assert_int_equal(f->iface[1].linktype, 101);
	assert_int_equal(f->iface[0].tsresol, 9);
	assert_int_equal(f->n_frames, 2);
	assert_true(f->frame[0].when == (uint64_t)when);
	assert_int_equal(f->frame[0].flags & 3, 2); /* outbound */
	assert_int_equal(f->frame[1].flags & 3, 1); /* inbound */
	assert_int_equal(f->frame[1].iface, 1);
	assert_string_equal(f->frame[0].comment, "loss: the link lost it");
	assert_string_equal(f->frame[1].comment, "");
	assert_int_equal(f->frame[0].len, 5);
	assert_memory_equal(f->frame[0].data, "\1\2\3\4\5", 5);
	test_free(f);
}

static void pcapng__partial_checksum_is_finished_in_the_copy_only(void **s)
{
	struct capture c = capture_new();
	pcapng_iface(c.w, "a", VIA_L2_ETHER);
	struct pkt *p = ip_frame(c.m, TCP, 333);
	uint16_t before = get_be16(pkt_data(p) + 34 + 16);
	assert_int_equal(pcapng_packet(c.w, 0, 0, c.m, p, true, NULL), 0);
	assert_int_equal(get_be16(pkt_data(p) + 34 + 16), before);
	assert_int_equal(p->m.csum, PKT_CSUM_PARTIAL);
	pkt_free(c.m, p);
	struct file_seen *f = capture_end(&c);
	assert_int_equal(f->n_frames, 1);
	assert_int_equal(f->frame[0].len, HDRS_TCP + 333);
	assert_true(csums_right(f->frame[0].data + 14, 40 + 333));
	test_free(f);
}

static void pcapng__tcp_superframe_is_cut_as_the_wire_would(void **s)
{
	enum { N = 5 * 1448 + 100, CUTS = 6 };
	struct capture c = capture_new();
	pcapng_iface(c.w, "a", VIA_L2_ETHER);
	struct pkt *p = ip_frame(c.m, TCP, N);
	p->m.gso = PKT_GSO_TCP4;
	p->m.gso_size = 1448;
	assert_int_equal(pcapng_packet(c.w, 0, 5, c.m, p, true, "data"), 0);
	assert_int_equal(p->len, HDRS_TCP + N);
	pkt_free(c.m, p);
	struct file_seen *f = capture_end(&c);
	assert_int_equal(f->n_frames, CUTS);
	uint32_t at = 0;
	for (int i = 0; i < CUTS; i++) {
		const struct frame_seen *e = &f->frame[i];
		const uint8_t *ip = e->data + 14, *t = ip + 20;
		uint32_t n = i < CUTS - 1 ? 1448 : 100;
		assert_int_equal(e->len, HDRS_TCP + n);
		assert_int_equal(get_be16(ip + 2), 40 + n);
		assert_int_equal(get_be16(ip + 4), (uint16_t)(0xfffe + i));
		assert_int_equal(get_be32(t + 4), (uint32_t)(0xfffffff0 + at));
		assert_int_equal(t[13], 0x10 | (i == 0 ? 0x80 : 0) | (i == CUTS - 1 ? 8 | 1 : 0));
		assert_true(csums_right(ip, 40 + n));
		assert_string_equal(e->comment, "data");
		for (uint32_t k = 0; k < n; k++)
			assert_int_equal(t[20 + k], (at + k) % 251);
		at += n;
	}
	assert_int_equal(at, N);
	test_free(f);
}

static void pcapng__udp_superframe_is_cut_into_datagrams(void **s)
{
	struct capture c = capture_new();
	pcapng_iface(c.w, "a", VIA_L2_ETHER);
	struct pkt *p = ip_frame(c.m, UDP, 2500);
	p->m.gso = PKT_GSO_UDP;
	p->m.gso_size = 1000;
	assert_int_equal(pcapng_packet(c.w, 0, 5, c.m, p, true, NULL), 0);
	pkt_free(c.m, p);
	struct file_seen *f = capture_end(&c);
	assert_int_equal(f->n_frames, 3);
	for (int i = 0; i < 3; i++) {
		uint32_t n = i < 2 ? 1000 : 500;
		assert_int_equal(f->frame[i].len, HDRS_UDP + n);
		assert_int_equal(get_be16(f->frame[i].data + 34 + 4), 8 + n);
		assert_true(csums_right(f->frame[i].data + 14, 28 + n));
	}
	test_free(f);
}

static void pcapng__broken_superframe_is_written_whole(void **s)
{
	struct capture c = capture_new();
	pcapng_iface(c.w, "a", VIA_L2_ETHER);
	struct pkt *p = ip_frame(c.m, TCP, 100);
	p->m.gso_size = 10;
	p->m.csum = PKT_CSUM_NONE;
	pkt_data(p)[34 + 12] = 0x10; /* data offset 4 bytes: no TCP header */
	assert_int_equal(pcapng_packet(c.w, 0, 5, c.m, p, true, NULL), 0);
	pkt_data(p)[14] = 0x41; /* IP header of 4 bytes */
	assert_int_equal(pcapng_packet(c.w, 0, 5, c.m, p, true, NULL), 0);
	pkt_free(c.m, p);
	struct file_seen *f = capture_end(&c);
	assert_int_equal(f->n_frames, 2);
	assert_int_equal(f->frame[0].len, HDRS_TCP + 100);
	assert_int_equal(f->frame[1].len, HDRS_TCP + 100);
	test_free(f);
}

static void pcapng__no_such_folder(void **s)
{
	errno = 0;
	assert_null(pcapng_open("/nonexistent/x.pcapng", NULL));
	assert_int_equal(errno, ENOENT);
}

static void pcapng__full_disk_is_reported(void **s)
{
	struct pcapng *w = pcapng_open("/dev/full", NULL);
	assert_non_null(w);
	assert_int_equal(pcapng_iface(w, "a", VIA_L2_ETHER), 0); /* still in the buffer */
	assert_int_equal(pcapng_close(w), -ENOSPC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pcapng__interfaces_times_flags_and_comments),
		cmocka_unit_test(pcapng__partial_checksum_is_finished_in_the_copy_only),
		cmocka_unit_test(pcapng__tcp_superframe_is_cut_as_the_wire_would),
		cmocka_unit_test(pcapng__udp_superframe_is_cut_into_datagrams),
		cmocka_unit_test(pcapng__broken_superframe_is_written_whole),
		cmocka_unit_test(pcapng__no_such_folder),
		cmocka_unit_test(pcapng__full_disk_is_reported),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
