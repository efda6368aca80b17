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

#define MODEL_LATE \
	"The model begins fast recovery a round trip late, and knows no delayed acknowledgement: two faults that do not cancel here"
#define FORMULA "The formula knows no round trip between a loss and its repair; the model does, and agrees"

static const struct known known[] = {
	{"cubic", 20, 0.01, false, RULE_MODEL, 1.110, MODEL_LATE},
	{"cubic", 100, 0.01, false, RULE_MODEL, 1.101, MODEL_LATE},
	{"cubic", 300, 0.01, false, RULE_MODEL, 1.163, MODEL_LATE},
	{"cubic", 1, 0.05, false, RULE_MODEL, 0.868, MODEL_LATE},
	{"cubic", 300, 0.01, true, RULE_WINDOW, 0.867, FORMULA},
	{"cubic", 1, 0.05, true, RULE_WINDOW, 0.830, FORMULA},
	{"cubic", 20, 0.05, true, RULE_MODEL, 1.147, MODEL_LATE},
	{"cubic", 20, 0.05, true, RULE_WINDOW, 0.849, FORMULA},
	{"cubic", 100, 0.05, true, RULE_WINDOW, 0.773, FORMULA},
	{"cubic", 300, 0.05, true, RULE_WINDOW, 0.773, FORMULA},
	{"reno", 300, 0, false, RULE_MODEL, 1.156, MODEL_LATE},
	{"reno", 1, 0.05, false, RULE_MODEL, 0.784, MODEL_LATE},
	{"reno", 20, 0.01, true, RULE_WINDOW, 0.859, FORMULA},
	{"reno", 100, 0.01, true, RULE_WINDOW, 0.853, FORMULA},
	{"reno", 300, 0.01, true, RULE_WINDOW, 0.853, FORMULA},
	{"reno", 1, 0.05, true, RULE_WINDOW, 0.742, FORMULA},
	{"reno", 20, 0.05, true, RULE_MODEL, 1.103, MODEL_LATE},
	{"reno", 20, 0.05, true, RULE_WINDOW, 0.718, FORMULA},
	{"reno", 100, 0.05, true, RULE_WINDOW, 0.658, FORMULA},
	{"reno", 300, 0.05, true, RULE_WINDOW, 0.717, FORMULA},
};

#endif
