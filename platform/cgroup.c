#include "platform/cgroup.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first `size` - 1 bytes of a file, "" where it cannot be read: which is no error, so no message of one is set. */
static void read_text(const char *path, char *out, size_t size) {
    out[0] = '\0';
    FILE *file = fopen(path, "re");
    if (!file) return;
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

/* Whether `name` is one of the words of `list`, which commas part. */
static bool has_word(const char *list, const char *name) {
    size_t length = strlen(name);
    for (const char *word = list; word; word = strchr(word, ',')) {
        word += *word == ',';
        if (strncmp(word, name, length) == 0 && (word[length] == ',' || word[length] == '\0')) return true;
    }
    return false;
}

/* The cgroup of /proc/self/cgroup, lines of "number:controllers:path": the one with controller cpu, or, in version 2,
   the one whose controllers are empty. */
static bool find_group(char *text, bool version_2, char *out, size_t size) {
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path) continue;
        *path++ = '\0';
        controllers++;
        if (version_2 ? *controllers != '\0' : !has_word(controllers, "cpu")) continue;
        return snprintf(out, size, "%s", path) < (int)size;
    }
    return false;
}

/* Processors of one cgroup's folder, or infinity. */
static double quota_of(const char *folder, bool version_2) {
    char path[2 * PATH_MAX], text[128];
    double quota = -1, period = 0;
    snprintf(path, sizeof path, "%s/%s", folder, version_2 ? "cpu.max" : "cpu.cfs_quota_us");
    read_text(path, text, sizeof text);
    if (version_2) {
        if (sscanf(text, "%lf %lf", &quota, &period) != 2) return INFINITY; /* "max 100000" */
    } else {
        if (sscanf(text, "%lf", &quota) != 1) return INFINITY;
        snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
        read_text(path, text, sizeof text);
        if (sscanf(text, "%lf", &period) != 1) return INFINITY;
    }
    return quota > 0 && period > 0 ? quota / period : INFINITY;
}

/* The smallest quota from `group` up to the folder where its hierarchy is mounted.  mount_root is the cgroup that is
   seen at the mount; a group that is not below it is not seen, and the mount stands for it. */
static double quota_above(const char *mount, const char *mount_root, const char *group, bool version_2) {
    char folder[PATH_MAX];
    size_t length = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root), base = strlen(mount);
    bool below = strncmp(group, mount_root, length) == 0 && (group[length] == '/' || group[length] == '\0') &&
                 !strstr(group, "/..");
    if (snprintf(folder, sizeof folder, "%s%s", mount, below ? group + length : "") >= (int)sizeof folder)
        return INFINITY;
    double least = INFINITY;
    for (;;) {
        double quota = quota_of(folder, version_2);
        if (quota < least) least = quota;
        char *slash = strrchr(folder + base, '/');
        if (!slash) return least;
        *slash = '\0';
    }
}

/* One line of mountinfo: "id parent device root mount options [fields...] - type source options". */
static double quota_of_mount(char *line, const char *root, const char *groups) {
    char mount_root[PATH_MAX], point[PATH_MAX], mount[2 * PATH_MAX], group[PATH_MAX], type[32], options[512];
    char *text, *tail = strstr(line, " - ");
    /* The widths are PATH_MAX - 1 and those of the arrays. */
    if (!tail || sscanf(line, "%*s %*s %*s %4095s %4095s", mount_root, point) != 2) return INFINITY;
    if (sscanf(tail, " - %31s %*s %511s", type, options) != 2) return INFINITY;
    bool version_2 = strcmp(type, "cgroup2") == 0;
    if (!version_2 && (strcmp(type, "cgroup") != 0 || !has_word(options, "cpu"))) return INFINITY;
    if (snprintf(mount, sizeof mount, "%s%s", root, point) >= PATH_MAX || !(text = strdup(groups))) return INFINITY;
    bool found = find_group(text, version_2, group, sizeof group);
    free(text);
    return found ? quota_above(mount, mount_root, group, version_2) : INFINITY;
}

int ms_cgroup_processors(const char *root) {
    enum { MOST = 1 << 18 }; /* bytes of mountinfo; machines with many containers have long ones */
    char path[PATH_MAX], groups[8192], *rest = NULL;
    char *mounts = malloc(MOST);
    if (!mounts) return 0;
    double least = INFINITY;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    read_text(path, groups, sizeof groups);
    snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    read_text(path, mounts, MOST);
    for (char *line = strtok_r(mounts, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        double quota = quota_of_mount(line, root, groups);
        if (quota < least) least = quota;
    }
    free(mounts);
    return least < 1e6 ? (int)ceil(least) : 0;
}
