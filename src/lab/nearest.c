/* lab/nearest.c - "did you mean": the nearest of some words by restricted Damerau-Levenshtein distance.
 *
 * A word is near when its distance is at most a third of the typed word's length, at least 1. Words longer than
 * NEAREST_MAX bytes are near to nothing. */
#include "lab/yaml.h"

enum { NEAREST_MAX = 63 };

unsigned nearest_distance(const char *a, const char *b, unsigned limit)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned row[3][NEAREST_MAX + 1];
	if (n > NEAREST_MAX || m > NEAREST_MAX)
		return limit + 1;
	for (size_t j = 0; j <= m; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *cur = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];
		cur[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			unsigned d = up[j - 1] + (a[i - 1] != b[j - 1]);
			d = MIN(d, MIN(up[j], cur[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = MIN(d, up2[j - 2] + 1);
			cur[j] = d;
		}
	}
	return MIN(row[n % 3][m], limit + 1);
}

const char *nearest_word(const char *word, const char *const words[])
{
	unsigned limit = MAX((unsigned)strlen(word) / 3, 1u);
	const char *best = NULL;
	for (int i = 0; words[i]; i++) {
		unsigned d = nearest_distance(word, words[i], limit);
		if (d <= limit) {
			best = words[i];
			limit = d ? d - 1 : 0;
			if (d == 0)
				break;
		}
	}
	return best;
}
