/* lab/rule_text.h - rules of filter and NAT as iptables-save prints them: what via_filter_parse() reads. */
#ifndef LAB_RULE_TEXT_H
#define LAB_RULE_TEXT_H

#include <viaduct/filter.h>

#define RULE_TEXT_MAX 512

/* "-A FORWARD -i eth1 -p tcp -m tcp --dport 80 -j ACCEPT", "-P INPUT DROP" of a policy. Returns out. */
char *rule_text(const struct via_filter_rule *r, bool is_policy, char out[RULE_TEXT_MAX]);
/* "-A POSTROUTING -o eth2 -j MASQUERADE", "-A PREROUTING -i eth2 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.0.0.2:8080". */
char *rule_text_nat(const struct via_nat_rule *r, char out[RULE_TEXT_MAX]);

#endif
