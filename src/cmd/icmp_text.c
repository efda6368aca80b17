/* cmd/icmp_text.c - see the header. RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1. */
#include "cmd/icmp_text.h"
#include <stdio.h>

enum { UNREACHABLE = 3, QUENCH = 4, REDIRECT = 5, TIME_EXCEEDED = 11, PARAMETER = 12, FRAG_NEEDED = 4 };

/* RFC 4443 §3. */
static const char *icmp6_text(int type, int code, int mtu, char text[64])
{
	static const char *const unreachable[] = {"No route", "Administratively prohibited", "Beyond scope of source address",
		"Address unreachable", "Port unreachable", "Source address failed ingress/egress policy", "Reject route to destination"};
	switch (type) {
	case 1:
		snprintf(text, 64, "Destination unreachable: %s",
			 code >= 0 && code < (int)ARRAY_LEN(unreachable) ? unreachable[code] : "Unknown code");
		return text;
	case 2: snprintf(text, 64, "Packet too big: mtu=%d", mtu); return text;
	case 3: return code ? "Time exceeded: Defragmentation failure" : "Time exceeded: Hop limit";
	case 4: return "Parameter problem";
	default: snprintf(text, 64, "Unknown icmp type: %d", type); return text;
	}
}

const char *icmp_text(bool is_v6, int type, int code, int mtu, char text[64])
{
	if (is_v6)
		return icmp6_text(type, code, mtu, text);
	static const char *const unreachable[] = {"Destination Net Unreachable", "Destination Host Unreachable",
		"Destination Protocol Unreachable", "Destination Port Unreachable", NULL, "Source Route Failed", "Destination Net Unknown",
		"Destination Host Unknown", "Source Host Isolated", "Destination Net Prohibited", "Destination Host Prohibited",
		"Destination Net Unreachable for Type of Service", "Destination Host Unreachable for Type of Service", "Packet filtered",
		"Precedence Violation", "Precedence Cutoff"};
	switch (type) {
	case UNREACHABLE:
		if (code == FRAG_NEEDED)
			snprintf(text, 64, "Frag needed and DF set (mtu = %d)", mtu);
		else if (code >= 0 && code < (int)ARRAY_LEN(unreachable))
			return unreachable[code];
		else
			snprintf(text, 64, "Dest Unreachable, Bad Code: %d", code);
		return text;
	case QUENCH: return "Source Quench";
	case REDIRECT: return "Redirect";
	case TIME_EXCEEDED:
		if (code <= 1)
			return code ? "Frag reassembly time exceeded" : "Time to live exceeded";
		snprintf(text, 64, "Time exceeded, Bad Code: %d", code);
		return text;
	case PARAMETER: return "Parameter problem";
	default: snprintf(text, 64, "Bad ICMP type: %d", type); return text;
	}
}
