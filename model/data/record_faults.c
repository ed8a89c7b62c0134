#include "model/data/record_faults.h"

#include <inttypes.h>
#include <string.h>

const char *const ms_on_error_names[] = {"stop", "skip", "replace", NULL};

const char *ms_record_fault_name(ms_record_fault fault) {
    static const char *const names[MS_N_RECORD_FAULTS] = {"not_utf8", "lone_surrogate", "not_json", "no_text",
                                                          "too_long", "no_token",       "no_id"};
    return names[fault];
}

const char *ms_on_error_name(ms_on_error on_error) { return ms_on_error_names[on_error]; }

bool ms_on_error_from_name(const char *name, ms_on_error *out) {
    *out = MS_ON_ERROR_STOP;
    for (int i = 0; ms_on_error_names[i]; i++) {
        if (strcmp(ms_on_error_names[i], name) != 0) continue;
        *out = (ms_on_error)i;
        return true;
    }
    return false;
}

void ms_record_counts_add(ms_record_counts *to, const ms_record_counts *from) {
    for (int i = 0; i < MS_N_RECORD_FAULTS; i++) {
        to->skipped[i] += from->skipped[i];
        to->replaced[i] += from->replaced[i];
    }
}

static int64_t sum(const int64_t counts[MS_N_RECORD_FAULTS]) {
    int64_t total = 0;
    for (int i = 0; i < MS_N_RECORD_FAULTS; i++) total += counts[i];
    return total;
}

int64_t ms_record_counts_skipped(const ms_record_counts *counts) { return sum(counts->skipped); }

static void print_counts(const char *what, const int64_t counts[MS_N_RECORD_FAULTS], FILE *stream) {
    int64_t total = sum(counts);
    if (total == 0) return;
    fprintf(stream, "%-9s%9" PRId64 " records:", what, total);
    const char *comma = "";
    for (int i = 0; i < MS_N_RECORD_FAULTS; i++) {
        if (counts[i] == 0) continue;
        fprintf(stream, "%s %" PRId64 " %s", comma, counts[i], ms_record_fault_name((ms_record_fault)i));
        comma = ",";
    }
    fputc('\n', stream);
}

void ms_record_counts_print(const ms_record_counts *counts, FILE *stream) {
    print_counts("skipped", counts->skipped, stream);
    print_counts("replaced", counts->replaced, stream);
}
