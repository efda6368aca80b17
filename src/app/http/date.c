/* app/http/date.c - IMF-fixdate, the one form of date HTTP sends (RFC 9110 §5.6.7), with integers only.
 *
 * Days and dates by the civil calendar counted from 1 March, so that the leap day is a year's last. 1970 to 9999. */
#include "app/http/http.h"

static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
enum { DAY_S = 86400, EPOCH_DAYS = 719468 /* 1 March of year 0 to 1 January 1970 */, ERA_DAYS = 146097 /* 400 years */ };
#define DATE_MAX INT64_C(253402300799) /* 31 Dec 9999 23:59:59 */

static void put_digits(char *out, int n, int64_t v)
{
	while (n-- > 0) {
		out[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

void http_date_format(int64_t t, char out[HTTP_DATE_LEN])
{
	t = MIN(MAX(t, 0), DATE_MAX);
	int64_t day = t / DAY_S, second = t % DAY_S, z = day + EPOCH_DAYS;
	int64_t era = z / ERA_DAYS, doe = z % ERA_DAYS;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	int64_t mp = (5 * doy + 2) / 153, dom = doy - (153 * mp + 2) / 5 + 1;
	int64_t month = mp < 10 ? mp + 2 : mp - 10; /* 0 is January */
	memcpy(out, "Sun, 00 Jan 0000 00:00:00 GMT", HTTP_DATE_LEN);
	memcpy(out, days[(day + 4) % 7], 3);
	put_digits(out + 5, 2, dom);
	memcpy(out + 8, months[month], 3);
	put_digits(out + 12, 4, era * 400 + yoe + (month < 2));
	put_digits(out + 17, 2, second / 3600);
	put_digits(out + 20, 2, second / 60 % 60);
	put_digits(out + 23, 2, second % 60);
}

static int64_t get_digits(const char *p, int n)
{
	int64_t v = 0;
	for (; n > 0; n--, p++) {
		if (*p < '0' || *p > '9')
			return -1;
		v = v * 10 + (*p - '0');
	}
	return v;
}

int64_t http_date_parse(const char *text, size_t len)
{
	if (len != HTTP_DATE_LEN)
		return HTTP_NO_TIME;
	int64_t dom = get_digits(text + 5, 2), y = get_digits(text + 12, 4), month = 0;
	int64_t hh = get_digits(text + 17, 2), mm = get_digits(text + 20, 2), ss = get_digits(text + 23, 2);
	while (month < 12 && memcmp(text + 8, months[month], 3) != 0)
		month++;
	if (dom < 1 || y < 1970 || hh < 0 || mm < 0 || ss < 0 || month == 12)
		return HTTP_NO_TIME;
	y -= month < 2;
	int64_t yoe = y % 400, doy = (153 * (month < 2 ? month + 10 : month - 2) + 2) / 5 + dom - 1;
	int64_t day = y / 400 * ERA_DAYS + yoe * 365 + yoe / 4 - yoe / 100 + doy - EPOCH_DAYS;
	int64_t t = day * DAY_S + hh * 3600 + mm * 60 + ss;
	/* Whatever is out of range or misspelt (day of week, punctuation, 30 Feb) does not print as it was read. */
	char again[HTTP_DATE_LEN];
	http_date_format(t, again);
	return memcmp(again, text, HTTP_DATE_LEN) == 0 ? t : HTTP_NO_TIME;
}
