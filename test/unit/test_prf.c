/* SipHash against the vectors of its authors (2-4) and CPython's hash(bytes) with PYTHONHASHSEED=0 (1-3, key zero). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prf.h"

/* Key 00..0f, message 00, 01, ..., n - 1 (reference implementation, vectors_sip64). */
static const uint64_t sip_2_4[64] = {
	UINT64_C(0x726fdb47dd0e0e31), UINT64_C(0x74f839c593dc67fd), UINT64_C(0x0d6c8009d9a94f5a), UINT64_C(0x85676696d7fb7e2d),
	UINT64_C(0xcf2794e0277187b7), UINT64_C(0x18765564cd99a68d), UINT64_C(0xcbc9466e58fee3ce), UINT64_C(0xab0200f58b01d137),
	UINT64_C(0x93f5f5799a932462), UINT64_C(0x9e0082df0ba9e4b0), UINT64_C(0x7a5dbbc594ddb9f3), UINT64_C(0xf4b32f46226bada7),
	UINT64_C(0x751e8fbc860ee5fb), UINT64_C(0x14ea5627c0843d90), UINT64_C(0xf723ca908e7af2ee), UINT64_C(0xa129ca6149be45e5),
	UINT64_C(0x3f2acc7f57c29bdb), UINT64_C(0x699ae9f52cbe4794), UINT64_C(0x4bc1b3f0968dd39c), UINT64_C(0xbb6dc91da77961bd),
	UINT64_C(0xbed65cf21aa2ee98), UINT64_C(0xd0f2cbb02e3b67c7), UINT64_C(0x93536795e3a33e88), UINT64_C(0xa80c038ccd5ccec8),
	UINT64_C(0xb8ad50c6f649af94), UINT64_C(0xbce192de8a85b8ea), UINT64_C(0x17d835b85bbb15f3), UINT64_C(0x2f2e6163076bcfad),
	UINT64_C(0xde4daaaca71dc9a5), UINT64_C(0xa6a2506687956571), UINT64_C(0xad87a3535c49ef28), UINT64_C(0x32d892fad841c342),
	UINT64_C(0x7127512f72f27cce), UINT64_C(0xa7f32346f95978e3), UINT64_C(0x12e0b01abb051238), UINT64_C(0x15e034d40fa197ae),
	UINT64_C(0x314dffbe0815a3b4), UINT64_C(0x027990f029623981), UINT64_C(0xcadcd4e59ef40c4d), UINT64_C(0x9abfd8766a33735c),
	UINT64_C(0x0e3ea96b5304a7d0), UINT64_C(0xad0c42d6fc585992), UINT64_C(0x187306c89bc215a9), UINT64_C(0xd4a60abcf3792b95),
	UINT64_C(0xf935451de4f21df2), UINT64_C(0xa9538f0419755787), UINT64_C(0xdb9acddff56ca510), UINT64_C(0xd06c98cd5c0975eb),
	UINT64_C(0xe612a3cb9ecba951), UINT64_C(0xc766e62cfcadaf96), UINT64_C(0xee64435a9752fe72), UINT64_C(0xa192d576b245165a),
	UINT64_C(0x0a8787bf8ecb74b2), UINT64_C(0x81b3e73d20b49b6f), UINT64_C(0x7fa8220ba3b2ecea), UINT64_C(0x245731c13ca42499),
	UINT64_C(0xb78dbfaf3a8d83bd), UINT64_C(0xea1ad565322a1a0b), UINT64_C(0x60e61c23a3795013), UINT64_C(0x6606d7e446282b93),
	UINT64_C(0x6ca4ecb15c5f91e1), UINT64_C(0x9f626da15c9625f3), UINT64_C(0xe51b38608ef25f57), UINT64_C(0x958a324ceb064572),
};
/* Key 0, message 00, 01, ..., n - 1 for n from 1 on. */
static const uint64_t sip_1_3[32] = {
	UINT64_C(0x68a914128e01e473), UINT64_C(0x010bac45c41e3669), UINT64_C(0x4d4c9a4a8ef6e0ad), UINT64_C(0x7cc43f98813e4dbd),
	UINT64_C(0x5abe2169dff36275), UINT64_C(0xe3c25f87624f1cdb), UINT64_C(0x2f098ab0c751325a), UINT64_C(0xead411e67ebe2eea),
	UINT64_C(0x75927f9d95124362), UINT64_C(0xaf9f77a65ab51a1d), UINT64_C(0xfe64ce8b6617fcff), UINT64_C(0xa6baf4fb0f9fe1c2),
	UINT64_C(0xa0cf3211850f8e0d), UINT64_C(0x7f86049379fbfe67), UINT64_C(0xf30eb725bb91c9ea), UINT64_C(0x8972188433a5c5b7),
	UINT64_C(0x4883c49a2c009c1d), UINT64_C(0xadc2c0b63044067d), UINT64_C(0x091f4a3329f87d19), UINT64_C(0x639e355ae68c0100),
	UINT64_C(0xb17bef2cb5213239), UINT64_C(0xf8aeb1066236ccfe), UINT64_C(0x37332b1389daa4ff), UINT64_C(0x31185a47af932f3a),
	UINT64_C(0xebf352e82ae23e2f), UINT64_C(0xed36ff242fe478b2), UINT64_C(0x2454d97d299299df), UINT64_C(0x8cd57fe8130d0ac7),
	UINT64_C(0xbe98eb2faf0a0e85), UINT64_C(0xd427c34ee09470c6), UINT64_C(0x169739443111d49b), UINT64_C(0x31ef8061c910629b),
};

static void siphash_2_4__vectors(void **state)
{
	struct prf_key k = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
	uint8_t text[1 + 64];

	for (unsigned i = 0; i < 64; i++)
		text[1 + i] = (uint8_t)i;
	for (unsigned n = 0; n < 64; n++) {
		assert_int_equal(siphash_2_4(k, text + 1, n), sip_2_4[n]);
		memmove(text, text + 1, 64); /* alignment does not matter */
		assert_int_equal(siphash_2_4(k, text, n), sip_2_4[n]);
		memmove(text + 1, text, 64);
	}
}

static void siphash_1_3__vectors(void **state)
{
	uint8_t text[32];

	for (unsigned i = 0; i < 32; i++)
		text[i] = (uint8_t)i;
	for (unsigned n = 1; n <= 32; n++)
		assert_int_equal(siphash_1_3((struct prf_key){0, 0}, text, n), sip_1_3[n - 1]);
}

static bool same(struct prf_key a, struct prf_key b) { return a.k0 == b.k0 || a.k1 == b.k1; }

/* Every bit of the seed and every letter of the purpose changes both halves of the key; nothing else does. */
static void req_HARD_12__keys_differ_by_purpose_and_seed(void **state)
{
	uint8_t seed[32];

	for (unsigned i = 0; i < 32; i++)
		seed[i] = (uint8_t)(i * 7 + 1);
	struct prf_key k = prf_derive(seed, "isn");
	assert_memory_equal(&k, &(struct prf_key[]){prf_derive(seed, "isn")}, sizeof(k));
	assert_int_not_equal(k.k0, k.k1);
	assert_false(same(k, prf_derive(seed, "port")));
	assert_false(same(k, prf_derive(seed, "is")));
	assert_false(same(k, prf_derive(seed, "isn2")));
	for (unsigned bit = 0; bit < 256; bit++) {
		seed[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_false(same(k, prf_derive(seed, "isn")));
		seed[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void prf_next__is_the_function_of_the_counter(void **state)
{
	struct prf_stream s = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}, UINT64_C(0x0706050403020100)};
	uint64_t first = prf_next(&s), second = prf_next(&s);

	assert_int_equal(first, sip_2_4[8]); /* the counter's bytes are 00..07 */
	assert_int_not_equal(first, second);
	assert_int_equal(s.counter, UINT64_C(0x0706050403020102));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(siphash_2_4__vectors),
		cmocka_unit_test(siphash_1_3__vectors),
		cmocka_unit_test(req_HARD_12__keys_differ_by_purpose_and_seed),
		cmocka_unit_test(prf_next__is_the_function_of_the_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
