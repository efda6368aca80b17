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

#define ORBITS "With periodic loss windows of whole segments run in circles: every loss finds five in flight here (cwnd 5.1, then " \
	"3.5), four in the model (4.9, then 2.8), and the start decides which circle it is: the model begun with a window of 8, or of 13 " \
	"to 20, instead of 10 runs in ours, and the ratio is 0.98"
#define EQ_5 "Eq. 5 asks for 13.5 and knows no recovery, which is one of 8.4 round trips of the model's cycle (100 segments at a mean " \
	"of 11.9). So the model misses it, too: "
#define CYCLE_RENO "sqrt(1.5/p) knows no recovery. With one round trip of it per loss, which does not grow, W is given by " \
	"3/8 W^2 + W/2 = 1/p, and the mean 1/p / (W/2 + 1) is "
#define CYCLE_CUBIC "The formula knows no recovery. With one round trip of it per loss, which does not grow, a cycle from 0.7 W to W by " \
	"0.53 a round trip has 0.48 W^2 + 0.7 W = 1/p segments, and its mean 1/p / (0.57 W + 1) is "
#define WHOLE " of the formula. The rest is that only whole segments are sent (at 5 %, four of a window of 4.9), and that these are " \
	"what a loss reduces. The model misses it, too: "

static const struct known known[] = {
	{"cubic", 20, 0.01, true, RULE_WINDOW, 0.899, CYCLE_CUBIC "0.93" WHOLE "0.899"},
	{"cubic", 100, 0.01, true, RULE_WINDOW, 0.900, CYCLE_CUBIC "0.93" WHOLE "0.910"},
	{"cubic", 300, 0.01, true, RULE_WINDOW, 0.851, EQ_5 "0.873"},
	{"cubic", 1, 0.05, true, RULE_WINDOW, 0.696, CYCLE_CUBIC "0.86" WHOLE "0.658"},
	{"cubic", 20, 0.05, true, RULE_WINDOW, 0.698, CYCLE_CUBIC "0.86" WHOLE "0.655"},
	{"cubic", 100, 0.05, true, RULE_WINDOW, 0.778, CYCLE_CUBIC "0.86" WHOLE "0.776"},
	{"cubic", 300, 0.05, true, RULE_MODEL, 1.149, ORBITS},
	{"cubic", 300, 0.05, true, RULE_WINDOW, 0.776, CYCLE_CUBIC "0.86" WHOLE "0.703"},
	{"reno", 20, 0.01, true, RULE_WINDOW, 0.854, CYCLE_RENO "0.92" WHOLE "0.854"},
	{"reno", 100, 0.01, true, RULE_WINDOW, 0.854, CYCLE_RENO "0.92" WHOLE "0.850"},
	{"reno", 300, 0.01, true, RULE_WINDOW, 0.861, CYCLE_RENO "0.92" WHOLE "0.867"},
	{"reno", 1, 0.05, true, RULE_WINDOW, 0.681, CYCLE_RENO "0.84" WHOLE "0.683"},
	{"reno", 20, 0.05, true, RULE_WINDOW, 0.666, CYCLE_RENO "0.84" WHOLE "0.678"},
	{"reno", 100, 0.05, true, RULE_WINDOW, 0.679, CYCLE_RENO "0.84" WHOLE "0.662"},
	{"reno", 300, 0.05, true, RULE_WINDOW, 0.672, CYCLE_RENO "0.84" WHOLE "0.672"},
};

#endif
