/* test/sim/goodput_known.h - cells of the goodput grid that do not hold what is asked, as measured, and why (fast_goodput.c). */
#ifndef SIM_GOODPUT_KNOWN_H
#define SIM_GOODPUT_KNOWN_H

/* Cells that do not hold: their ratio to what is asked, and why. */
struct known {
	const char *cc;
	int rtt_ms;
	double loss;
	bool is_periodic;
	enum rule rule;
	double ratio;
	const char *why;
};

#define CAPS "Thousands of segments are in flight and every second one is lost when slow start overruns the queue: more holes than " \
	"TCP_RANGES_MAX (1,024) and TCP_OOO_MAX (512) hold. With 8,192 and 4,096 the cell holds"
#define NOT_PRR "Recovery ends with cwnd at most a segment above what is in flight (RFC 6582), in the model with ssthresh (RFC 9937), " \
	"which weighs much where windows are of four segments. With cwnd = ssthresh there CUBIC comes within 10 %, NewReno nearer"
#define FORMULA "The formula knows no round trip between a loss and its repair; the model does, and agrees"
#define FORMULA_AND_PRR "As the formula knows no recovery, which is a quarter of all round trips here, and as recovery is no PRR"
#define UNKNOWN "Which side is wrong is not known"

static const struct known known[] = {
	{"bbr", 300, 0, false, RULE_FULL, 0.999, CAPS},
	{"cubic", 300, 0, false, RULE_FULL, 0.942, CAPS},
	{"cubic", 300, 0.001, true, RULE_WINDOW, 0.877, FORMULA},
	{"cubic", 300, 0.01, false, RULE_MODEL, 1.103, UNKNOWN},
	{"cubic", 20, 0.01, true, RULE_WINDOW, 0.894, FORMULA},
	{"cubic", 100, 0.01, true, RULE_WINDOW, 0.894, FORMULA},
	{"cubic", 300, 0.01, true, RULE_WINDOW, 0.832, FORMULA},
	{"cubic", 1, 0.05, false, RULE_MODEL, 0.888, NOT_PRR},
	{"cubic", 1, 0.05, true, RULE_MODEL, 0.690, NOT_PRR},
	{"cubic", 1, 0.05, true, RULE_WINDOW, 0.696, FORMULA_AND_PRR},
	{"cubic", 20, 0.05, true, RULE_MODEL, 0.722, NOT_PRR},
	{"cubic", 20, 0.05, true, RULE_WINDOW, 0.701, FORMULA_AND_PRR},
	{"cubic", 100, 0.05, true, RULE_MODEL, 0.788, NOT_PRR},
	{"cubic", 100, 0.05, true, RULE_WINDOW, 0.605, FORMULA_AND_PRR},
	{"cubic", 300, 0.05, true, RULE_MODEL, 0.845, NOT_PRR},
	{"cubic", 300, 0.05, true, RULE_WINDOW, 0.647, FORMULA_AND_PRR},
	{"reno", 100, 0, false, RULE_FULL, 0.961, CAPS},
	{"reno", 300, 0, false, RULE_FULL, 0.449, CAPS},
	{"reno", 300, 0, false, RULE_MODEL, 0.517, CAPS},
	{"reno", 20, 0.01, true, RULE_WINDOW, 0.818, FORMULA},
	{"reno", 100, 0.01, true, RULE_WINDOW, 0.828, FORMULA},
	{"reno", 300, 0.01, true, RULE_WINDOW, 0.843, FORMULA},
	{"reno", 1, 0.05, false, RULE_MODEL, 0.828, NOT_PRR},
	{"reno", 1, 0.05, true, RULE_MODEL, 0.809, NOT_PRR},
	{"reno", 1, 0.05, true, RULE_WINDOW, 0.678, FORMULA_AND_PRR},
	{"reno", 20, 0.05, true, RULE_MODEL, 0.868, NOT_PRR},
	{"reno", 20, 0.05, true, RULE_WINDOW, 0.690, FORMULA_AND_PRR},
	{"reno", 100, 0.05, true, RULE_MODEL, 0.863, NOT_PRR},
	{"reno", 100, 0.05, true, RULE_WINDOW, 0.595, FORMULA_AND_PRR},
	{"reno", 300, 0.05, true, RULE_WINDOW, 0.649, FORMULA_AND_PRR},
};

#endif
