/* lab/switch.h - a switch node: link/bridge.h says which ports, this moves the frames. */
#ifndef LAB_SWITCH_H
#define LAB_SWITCH_H

#include "lab/link.h"
#include "link/bridge.h"

struct lab_switch;
/* ports: borrowed driver ends, n of them. NULL with errno. */
struct lab_switch *lab_switch_new(struct link_env *env, struct link_port **ports, int n, uint64_t seed);
/* It minds VLANs from now on: of this one, by ports (bits) with and without a tag. 0 or as bridge_vlan_add(). */
int lab_switch_vlan(struct lab_switch *s, uint16_t vid, uint64_t tagged, uint64_t untagged);
/* By enum drop; what links refuse is counted there. */
const uint64_t *lab_switch_drops(const struct lab_switch *s);
void lab_switch_free(struct lab_switch *s);
/* Forward what has arrived at env.now. Returns the next arrival. */
int64_t lab_switch_run(struct lab_switch *s);

#endif
