/* cmd/lab_story.c - `via lab story`: what happened in a lab, told from the JSON that `--story` wrote, for somebody who
 * learns TCP/IP: addresses, handshakes with their numbers, packets by path, losses, ports, and a ladder. */
#include "cmd/cmd.h"
#include "cmd/table.h"
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

static const char *string_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

static int64_t int_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void heading(const char *title, const char *explanation)
{
	printf("\n%s%s%s\n%s\n", cmd_global.color ? "\033[1m" : "", title, cmd_global.color ? "\033[0m" : "", explanation);
}

static void tell_interfaces(const json_t *story)
{
	heading("Addresses",
		"Every interface has an address of its own; a host with two interfaces has two. LOST: what the link behind it lost.");
	struct table *t = table_new("INTERFACE|ADDRESS|>PACKETS SENT|>BYTES|>LOST|>REORDERED");
	const json_t *i;
	size_t n;
	json_array_foreach(json_object_get(story, "interfaces"), n, i)
		table_row(t, string_of(i, "interface"), string_of(i, "address"), text_number(int_of(i, "packets")),
			text_bytes(int_of(i, "bytes")), text_number(int_of(i, "lost")), text_number(int_of(i, "reordered")));
	table_end(t);
}

static void end_text(const json_t *end, char *out, size_t cap)
{
	snprintf(out, cap, "%s:%" PRId64, string_of(end, "node"), int_of(end, "port"));
}

/* Sequence number of one step, "-" if it never came. */
static const char *step_text(const json_t *handshake, const char *step)
{
	const json_t *s = json_object_get(handshake, step);
	return json_is_object(s) ? text_number(int_of(s, "seq")) : "-";
}

static void tell_connections(const json_t *story)
{
	heading("Connections",
		"Each has a port of its own on the client's node, and begins with a handshake. The client picks a sequence\n"
		"number (SYN), the server answers with its own and acknowledges (SYN-ACK), the client acknowledges that (ACK).\n"
		"TIME: from the SYN until the last byte left. RESENT: segments that TCP sent again.");
	struct table *t = table_new(">#|CLIENT|SERVER|>SYN SEQ|>SYN-ACK SEQ|>ACK SEQ|>SENT|>RECEIVED|>RESENT|>TIME|>GOODPUT");
	const json_t *c;
	size_t n;
	json_array_foreach(json_object_get(story, "connections"), n, c) {
		char client[96], server[96], goodput[32];
		const json_t *h = json_object_get(c, "handshake"), *sent = json_object_get(c, "sent"),
			     *received = json_object_get(c, "received");
		end_text(json_object_get(c, "client"), client, sizeof client);
		end_text(json_object_get(c, "server"), server, sizeof server);
		bool is_fast = int_of(c, "goodput_bps") >= 1000000;
		snprintf(goodput, sizeof goodput, "%.1f %cbit/s", (double)int_of(c, "goodput_bps") / (is_fast ? 1e6 : 1e3),
			is_fast ? 'M' : 'k');
		table_row(t, text_number(int_of(c, "n")), client, server, step_text(h, "syn"), step_text(h, "syn_ack"),
			step_text(h, "ack"), text_bytes(int_of(sent, "payload")), text_bytes(int_of(received, "payload")),
			text_number(int_of(sent, "retransmitted") + int_of(received, "retransmitted")),
			text_time(int_of(c, "busy_ns")), goodput);
	}
	table_end(t);
}

static void join(const json_t *names, const char *between, char *out, size_t cap)
{
	const json_t *s;
	size_t i, used = 0;
	out[0] = 0;
	json_array_foreach(names, i, s) {
		int n = snprintf(out + used, cap - used, "%s%s", i ? between : "", json_string_value(s));
		if (n < 0 || (size_t)n >= cap - used)
			return;
		used += (size_t)n;
	}
}

/* Do p and q begin and end at the same nodes? */
static bool same_ends(const json_t *p, const json_t *q)
{
	const json_t *a = json_object_get(p, "nodes"), *b = json_object_get(q, "nodes");
	size_t n = json_array_size(a), m = json_array_size(b);
	return n && m && json_equal(json_array_get(a, 0), json_array_get(b, 0)) &&
	       json_equal(json_array_get(a, n - 1), json_array_get(b, m - 1));
}

/* Did connections go different ways between the same ends, in the same direction? */
static bool has_choice(const json_t *paths)
{
	const json_t *p;
	size_t i;
	json_array_foreach(paths, i, p) {
		for (size_t k = 0; k < i; k++) {
			if (same_ends(p, json_array_get(paths, k)))
				return true;
		}
	}
	return false;
}

static void tell_paths(const json_t *story)
{
	static const char sums[] = "LOST and REORDERED happened on the links of the path; RESENT is what TCP sent again.";
	char text[256];
	snprintf(text, sizeof text, "%s%s",
		has_choice(json_object_get(story, "paths"))
			? "Where there are several ways, a connection keeps to one in each direction, so that its packets stay in line.\n" : "",
		sums);
	heading("Paths", text);
	struct table *t = table_new("PATH|>CONNECTIONS|>PACKETS|>BYTES|>LOST|>REORDERED|>RESENT");
	const json_t *p;
	size_t n;
	json_array_foreach(json_object_get(story, "paths"), n, p) {
		char nodes[160];
		join(json_object_get(p, "nodes"), " > ", nodes, sizeof nodes);
		table_row(t, nodes, text_number(int_of(p, "connections")), text_number(int_of(p, "packets")),
			text_bytes(int_of(p, "bytes")), text_number(int_of(p, "lost")), text_number(int_of(p, "reordered")),
			text_number(int_of(p, "retransmitted")));
	}
	table_end(t);
}

/* One rung: an arrow from the sender's side; cut short with an X when the packet was lost. */
static void tell_rung(const json_t *e)
{
	bool from_server = strcmp(string_of(e, "from"), "server") == 0;
	bool is_lost = strcmp(string_of(e, "what"), "lost") == 0;
	char what[96];
	int len = (int)int_of(e, "len");
	int used = snprintf(what, sizeof what, "%s seq %" PRId64, string_of(e, "flags"), int_of(e, "seq_relative"));
	if (int_of(e, "ack_relative"))
		used += snprintf(what + used, sizeof what - (size_t)used, " ack %" PRId64, int_of(e, "ack_relative"));
	if (len)
		snprintf(what + used, sizeof what - (size_t)used, ", %d bytes", len);
	const char *arrow = from_server ? (is_lost ? "       X<--------" : "<----------------")
					: (is_lost ? "-------->X       " : "---------------->");
	printf("  %10s  |%s|  %-42s %s\n", text_time(int_of(e, "time_ns")), arrow, what, string_of(e, "note"));
}

/* Who stands left and right of the rungs. */
static void tell_sides(const json_t *story, int64_t connection)
{
	const json_t *c = json_array_get(json_object_get(story, "connections"), connection > 0 ? (size_t)connection - 1 : 0);
	const char *client = string_of(json_object_get(c, "client"), "node"),
		   *server = string_of(json_object_get(c, "server"), "node");
	printf("  %10s  %s%*s\n", "", client, MAX(18 - (int)strlen(client), 1), server);
}

static void tell_ladder(const json_t *story)
{
	const json_t *ladder = json_object_get(story, "ladder"), *loss = json_object_get(story, "loss"), *e;
	size_t n;
	heading("The first connection opens",
		"Numbers count from each side's first sequence number; times are when a packet left its sender.");
	tell_sides(story, int_of(ladder, "connection"));
	json_array_foreach(json_object_get(ladder, "events"), n, e)
		tell_rung(e);
	if (json_array_size(json_object_get(loss, "events")) == 0)
		return;
	char text[96];
	snprintf(text, sizeof text, "From connection %" PRId64 ": what the link lost was sent again%s.", int_of(loss, "connection"),
		json_array_size(json_object_get(loss, "events")) > 2 ? ", and then acknowledged" : "");
	heading("The first loss", text);
	tell_sides(story, int_of(loss, "connection"));
	json_array_foreach(json_object_get(loss, "events"), n, e)
		tell_rung(e);
}

static void tell_drops(const json_t *story)
{
	const json_t *drops = json_object_get(story, "drops");
	if (json_array_size(drops) == 0)
		return;
	heading("Dropped inside nodes", "No link lost these packets: a node had them and let them go.");
	table_drops(drops);
}

static void tell_totals(const json_t *story)
{
	const json_t *t = json_object_get(story, "totals");
	printf("\nIn all: %" PRId64 " packets sent on all links, %" PRId64 " lost, %" PRId64 " reordered, %" PRId64
	       " retransmitted; %" PRId64 " connections; seed %" PRId64 ".\n",
		int_of(t, "packets"), int_of(t, "lost"), int_of(t, "reordered"), int_of(t, "retransmitted"),
		(int64_t)json_array_size(json_object_get(story, "connections")), int_of(story, "seed"));
}

static int lab_story_tell(const struct cmd_args *a)
{
	json_error_t err;
	json_t *story = json_load_file(a->words[0], 0, &err);
	if (!story)
		return cmd_fail(EXIT_FAILED, err.line > 0 ? "%s is not what --story wrote: %s" : "cannot read %s: %s",
			a->words[0], err.line > 0 ? err.text : strerror(errno));
	if (!json_is_array(json_object_get(story, "connections"))) {
		json_decref(story);
		return cmd_fail(EXIT_FAILED, "%s is not what --story wrote", a->words[0]);
	}
	if (cmd_global.json) {
		json_dumpf(story, stdout, cmd_global.pretty ? JSON_INDENT(2) : JSON_COMPACT);
		putchar('\n');
	} else {
		tell_interfaces(story);
		bool has_connection = json_array_size(json_object_get(story, "connections")) > 0;
		if (has_connection) {
			tell_connections(story);
			tell_paths(story);
		}
		tell_drops(story);
		if (has_connection)
			tell_ladder(story);
		tell_totals(story);
	}
	json_decref(story);
	return EXIT_WELL;
}

static const struct cmd_option no_options[] = {{0, NULL, NULL, NULL}};

const struct cmd_command cmd_lab_story = {"lab story", "FILE.json",
	"tell what --story recorded: addresses, handshakes, losses, a ladder", NULL, no_options, 1, 1, false, lab_story_tell};
