/* What the server of `muonscope watch` answers: names of hosts, and the policy of a page. */
#include "cli/watch/rules.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

/* Of `printf %s TEXT | openssl dgst -sha256 -binary | base64`, for alert(1), for nothing and for p{}. */
#define ALERT "bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI="
#define EMPTY "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define RULE "gG2yISYereRMiG2lMXrbiUgi0Ubw9p7QCeWcroOvy9Y="

START_TEST(hosts) {
    static const struct {
        const char *host;
        int port;
        bool ours;
    } cases[] = {{"127.0.0.1:8417", 8417, true},
                 {"localhost:8417", 8417, true},
                 {"LOCALHOST:8417", 8417, true},
                 {"[::1]:8417", 8417, true},
                 {"127.0.0.1:80", 80, true},
                 {"127.0.0.1", 80, true},
                 {"127.0.0.1", 8417, false},
                 {"localhost", 8417, false},
                 {"127.0.0.1:841", 8417, false},
                 {"127.0.0.1:84170", 8417, false},
                 {"127.0.0.1:8417 ", 8417, false},
                 {" 127.0.0.1:8417", 8417, false},
                 {"127.0.0.1:08417", 8417, false},
                 {"127.0.0.2:8417", 8417, false},
                 {"0.0.0.0:8417", 8417, false},
                 {"::1:8417", 8417, false},
                 {"[::1]", 8417, false},
                 {"localhost.:8417", 8417, false},
                 {"localhost.evil:8417", 8417, false},
                 {"evil.localhost:8417", 8417, false},
                 {"evil:8417", 8417, false},
                 {"user@127.0.0.1:8417", 8417, false},
                 {"", 8417, false},
                 {NULL, 8417, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        ck_assert_msg(ms_host_is_ours(cases[i].host, cases[i].port) == cases[i].ours, "host '%s' at port %d",
                      cases[i].host ? cases[i].host : "(none)", cases[i].port);
}
END_TEST

START_TEST(policy) {
    char *text;
    ck_assert_int_eq(
        ms_page_policy("<html><style media=\"all\">p{}</style><script type=\"application/json\">{}</script>"
                       "<script>alert(1)</script><script></script></html>",
                       &text),
        MS_OK);
    ck_assert_str_eq(text,
                     "default-src 'none'; script-src 'sha256-" ALERT "' 'sha256-" EMPTY "'; style-src 'sha256-" RULE
                     "'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors "
                     "'none'");
    free(text);
    ck_assert_int_eq(ms_page_policy("<p>no script, and one without an end: <script>x", &text), MS_OK);
    ck_assert_msg(strncmp(text, "default-src 'none'; script-src; style-src; ", 43) == 0, "%s", text);
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cli/watch_rules");
    TCase *tests = tcase_create("rules");
    tcase_add_test(tests, hosts);
    tcase_add_test(tests, policy);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
