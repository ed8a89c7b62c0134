#include "tests/support/suite.h"

#include <signal.h>
#include <string.h>
#include <sys/resource.h>

int ms_suite_run(Suite *suite) {
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV); /* CK_VERBOSITY, else what failed */
    int n_failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return n_failed != 0;
}

void ms_must(ms_status status) {
    ck_assert_msg(status == MS_OK, "%s: %s", ms_status_text(status), ms_status_message());
}

void ms_expect(ms_status status, ms_status expected, const char *part) {
    ck_assert_msg(status == expected, "status %s, not %s: %s", ms_status_text(status), ms_status_text(expected),
                  ms_status_message());
    ck_assert_msg(strstr(ms_status_message(), part) != NULL, "message \"%s\" lacks \"%s\"", ms_status_message(), part);
}

void ms_disk_is_full(bool full) {
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = full ? 0 : limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
}
