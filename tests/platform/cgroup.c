/* Quotas of control groups, from files as the kernel writes them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/cgroup.h"
#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/suite.h"

static char root[64];

static void make_root(void) {
    snprintf(root, sizeof root, "/tmp/muonscope-cgroup-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void) { ms_must(ms_directory_remove(root)); }

/* Writes root/path, making its folders. */
static void put(const char *path, const char *text) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    ms_must(ms_file_write(whole, text, strlen(text)));
}

static const char version_2[] = "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
                                "31 24 0:28 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

/* With this text in that file, so many processors are left. */
static void check(const char *path, const char *text, int n_processors) {
    put(path, text);
    ck_assert_int_eq(ms_cgroup_processors(root), n_processors);
}

START_TEST(nothing_is_said) {
    ms_status status = MS_FAIL(MS_INVALID, "another message");
    ck_assert_int_eq(status, MS_INVALID);
    ck_assert_int_eq(ms_cgroup_processors(root), 0);
    check("proc/self/mountinfo", version_2, 0);
    ck_assert_str_eq(ms_status_message(), "another message");
    check("proc/self/cgroup", "0::/a/b\n", 0);
    check("sys/fs/cgroup/a/b/cpu.max", "max 100000\n", 0);
    check("sys/fs/cgroup/a/b/cpu.max", "no number\n", 0);
}
END_TEST

START_TEST(version_2_own_and_parents) {
    put("proc/self/mountinfo", version_2);
    put("proc/self/cgroup", "1:name=systemd:/x\n0::/a/b\n");
    check("sys/fs/cgroup/a/b/cpu.max", "350000 100000\n", 4); /* 3.5 */
    check("sys/fs/cgroup/a/cpu.max", "150000 100000\n", 2);   /* 1.5 of the parent */
    check("sys/fs/cgroup/cpu.max", "1000 100000\n", 1);
    put("sys/fs/cgroup/x/cpu.max", "100 100000\n"); /* somebody else's */
    check("sys/fs/cgroup/cpu.max", "max 100000\n", 2);
}
END_TEST

/* A container sees its own cgroup at the mount, by the name it has outside, or as / of a namespace. */
START_TEST(containers) {
    put("proc/self/mountinfo", "31 24 0:28 /docker/c /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    put("proc/self/cgroup", "0::/docker/c/job\n");
    check("sys/fs/cgroup/cpu.max", "300000 100000\n", 3);
    check("sys/fs/cgroup/job/cpu.max", "200000 100000\n", 2);
    check("proc/self/cgroup", "0::/docker/cousin\n", 3);
    check("proc/self/cgroup", "0::/../cousin\n", 3);
    put("proc/self/mountinfo", version_2);
    check("proc/self/cgroup", "0::/\n", 3);
}
END_TEST

START_TEST(version_1) {
    put("proc/self/mountinfo", "31 24 0:28 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
                               "32 24 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
    put("proc/self/cgroup", "5:cpuset:/a\n3:cpu,cpuacct:/a/b\n0::/\n");
    put("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1\n");
    check("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_period_us", "50000\n", 0);
    check("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "110000\n", 3); /* 2.2 */
    check("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "100000\n", 3);   /* no period, no quota */
    check("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n", 1);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cgroup");
    TCase *tests = tcase_create("cgroup");
    tcase_add_checked_fixture(tests, make_root, remove_root);
    tcase_add_test(tests, nothing_is_said);
    tcase_add_test(tests, version_2_own_and_parents);
    tcase_add_test(tests, containers);
    tcase_add_test(tests, version_1);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
