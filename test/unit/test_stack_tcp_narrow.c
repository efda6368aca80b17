/* Every test of test_stack_tcp.c once more, with drivers that have room for one packet (test/unit/stacks.h). */
#define NET_ROOM 1
#include "test_stack_tcp.c"
