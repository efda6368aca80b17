/* wire/group.h - what IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810) say, in one vocabulary.
 *
 * Versions are IGMP's numbers: MLDv1 is version 2, MLDv2 version 3. Addresses of IGMP are mapped. What hosts tell each other in version 3
 * is not read: a host has no use for it. */
#ifndef WIRE_GROUP_H
#define WIRE_GROUP_H
#include "base/bytes.h"
#include <viaduct/types.h>

#define GROUP_SOURCES_MAX 16 /* of a query that are read */
#define GROUP_RECORDS_MAX 32 /* of a report that is written: fits 576 bytes in IGMP, 1280 in MLD */

enum group_kind { GROUP_QUERY, GROUP_REPORT, GROUP_LEAVE, GROUP_REPORT3 };
/* A message that came: a query of any version, a report or a leave of the older ones; of a GROUP_REPORT3 nothing else is said. */
struct group_msg {
	uint8_t kind;    /* enum group_kind */
	uint8_t version;
	struct via_addr group; /* any: a general query */
	/* queries */
	int64_t max_resp_ns;
	uint8_t robustness;    /* 0: not said; the same for interval_s */
	uint32_t interval_s;
	uint16_t n_sources;    /* said; the first GROUP_SOURCES_MAX are in source */
	struct via_addr source[GROUP_SOURCES_MAX];
};

enum group_record_type { GROUP_IS_IN = 1, GROUP_IS_EX, GROUP_TO_IN, GROUP_TO_EX };
struct group_record {
	uint8_t type;    /* enum group_record_type; to version 1 and 2 TO_IN is a leave, any other a report */
	uint8_t n_sources;
	struct via_addr group;
	const struct via_addr *source;
};
struct group_report {
	uint8_t version;
	uint8_t n;       /* 1 in versions 1 and 2, without sources */
	struct group_record record[GROUP_RECORDS_MAX];
};

/* A number whose highest bit says that it has an exponent: `bits` 8 or 16 (RFC 3376 §4.1.1, §4.1.7; RFC 3810 §5.1.3, §5.1.9). */
static inline uint32_t group_code(uint32_t code, int bits)
{
	int mant = bits == 8 ? 4 : 12;
	if (code < 1u << (bits - 1))
		return code;
	return ((code & ((1u << mant) - 1)) | 1u << mant) << ((code >> mant & 7) + 3);
}
#endif
