#include "cli/verify/report.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "platform/file.h"
#include "platform/json.h"
#include "platform/output.h"

struct ms_verify_report {
    FILE *stream; /* borrowed */
    bool has_json;
    ms_writer json;
    ms_verify_totals totals;
};

bool ms_verdict_is_failure(ms_verdict verdict) {
    static const bool failures[] = {
#define X(constant, text, failure) failure,
        MS_VERDICTS(X)
#undef X
    };
    return failures[verdict];
}

bool ms_verdict_is_difference(ms_verdict verdict) {
    return verdict == MS_VERDICT_DIFFERS || verdict == MS_VERDICT_BOUND;
}

static const char *verdict_text(ms_verdict verdict) {
    static const char *const texts[] = {
#define X(constant, text, failure) text,
        MS_VERDICTS(X)
#undef X
    };
    return texts[verdict];
}

ms_status ms_verify_report_create(FILE *stream, const char *json, ms_verify_report **out) {
    *out = NULL;
    ms_verify_report *report = calloc(1, sizeof *report);
    if (!report) return MS_FAIL(MS_OUT_OF_MEMORY, "verify: no memory");
    report->stream = stream;
    if (json) {
        ms_status status = ms_writer_open(json, &report->json);
        if (status != MS_OK) {
            free(report);
            return status;
        }
        report->has_json = true;
    }
    fprintf(stream, "%-22s %-40s %-10s %-6s %-12s %9s %9s\n", "op or run", "case", "device", "nums", "verdict",
            "err/bound", "ms");
    *out = report;
    return MS_OK;
}

static const char what_line[] = "verify --json";

/* Writes one line and drops the object. */
static ms_status write_line(ms_verify_report *report, json_t *object) {
    char *text;
    ms_status status = ms_json_text(object, what_line, JSON_COMPACT, &text);
    json_decref(object);
    if (status == MS_OK) status = ms_writer_printf(&report->json, "%s\n", text);
    free(text);
    return status;
}

static json_t *bits_json(bool given, uint32_t bits) {
    char text[16];
    snprintf(text, sizeof text, "%08x", (unsigned)bits);
    return given ? json_string(text) : json_null();
}

static json_t *number_json(bool given, double value) {
    if (!given || isnan(value)) return json_null();
    return isinf(value) ? json_string("inf") : json_real(value);
}

static ms_status row_json(const ms_verify_row *row, json_t **out) {
    bool has = row->has_difference;
    return ms_json_pack(out, what_line, "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:f, s:s}",
                        "type", "row", "kind", row->is_run ? "run" : "op", "name", row->name, "case", row->test,
                        "device", row->device, "numerics", ms_numerics_name(row->numerics), "verdict",
                        verdict_text(row->verdict), "output", has ? json_integer(row->output) : json_null(), "index",
                        has ? json_integer(row->index) : json_null(), "expected", bits_json(has, row->expected),
                        "found", bits_json(has, row->found), "worst", number_json(true, row->worst), "seconds",
                        row->seconds, "message", row->message);
}

static void count(ms_verify_totals *totals, ms_verdict verdict) {
    totals->rows++;
    totals->passed += verdict == MS_VERDICT_PASS;
    totals->unsupported += verdict == MS_VERDICT_UNSUPPORTED;
    totals->not_run += verdict == MS_VERDICT_NOT_RUN;
    totals->failed += ms_verdict_is_failure(verdict);
}

ms_status ms_verify_report_add(ms_verify_report *report, const ms_verify_row *row) {
    char worst[24] = "-";
    if (!isnan(row->worst)) snprintf(worst, sizeof worst, "%.3g", row->worst);
    fprintf(report->stream, "%-22s %-40s %-10s %-6s %-12s %9s %9.2f", row->name, row->test, row->device,
            ms_numerics_name(row->numerics), verdict_text(row->verdict), worst, 1e3 * row->seconds);
    if (row->has_difference)
        fprintf(report->stream, "  output %d, element %lld: %08x, must be %08x", row->output, (long long)row->index,
                (unsigned)row->found, (unsigned)row->expected);
    fprintf(report->stream, "%s%s\n", row->message[0] ? "  " : "", row->message);
    ms_print_flush(report->stream);
    count(&report->totals, row->verdict);
    if (!report->has_json) return MS_OK;
    json_t *object;
    MS_TRY(row_json(row, &object));
    return write_line(report, object);
}

void ms_verify_report_planted(ms_verify_report *report, bool found) {
    report->totals.planted++;
    report->totals.found += found;
}

ms_status ms_verify_report_coverage(ms_verify_report *report, const ms_verify_coverage *coverage, double *out_percent) {
    int n_ran = 0, n_ops = 0, n_composites = 0;
    const char *numerics = ms_numerics_name(coverage->numerics);
    json_t *missing = json_array();
    fprintf(report->stream, "coverage of %s %s: ", coverage->device, numerics);
    for (int op = 0; op < MS_OP_COUNT; op++) {
        const ms_op_info *info = ms_op_get((ms_op)op);
        if (!coverage->selected[op]) continue;
        if (info->kind == MS_OP_KIND_COMPOSITE) {
            n_composites += coverage->ran[op];
            continue;
        }
        n_ops++;
        n_ran += coverage->ran[op];
        if (!coverage->ran[op]) json_array_append_new(missing, json_string(info->name));
    }
    *out_percent = n_ops ? 100.0 * n_ran / n_ops : 100;
    fprintf(report->stream, "%d of %d ops, %.1f %%, and %d composite", n_ran, n_ops, *out_percent, n_composites);
    for (size_t i = 0; i < json_array_size(missing); i++)
        fprintf(report->stream, "%s%s", i ? ", " : "; without ", json_string_value(json_array_get(missing, i)));
    if (coverage->unsupported)
        fprintf(report->stream, "; %lld cases are unsupported", (long long)coverage->unsupported);
    fprintf(report->stream, "\n");
    if (!report->has_json) {
        json_decref(missing);
        return MS_OK;
    }
    json_t *object;
    MS_TRY(ms_json_pack(&object, what_line, "{s:s, s:s, s:s, s:i, s:i, s:f, s:o, s:I}", "type", "coverage", "device",
                        coverage->device, "numerics", numerics, "ran", n_ran, "of", n_ops, "percent", *out_percent,
                        "missing", missing, "unsupported", (json_int_t)coverage->unsupported));
    return write_line(report, object);
}

ms_status ms_verify_report_finish(ms_verify_report *report, ms_verify_totals *out) {
    const ms_verify_totals *t = &report->totals;
    *out = *t;
    fprintf(report->stream, "%lld rows: %lld pass, %lld fail (%lld not run), %lld unsupported\n", (long long)t->rows,
            (long long)t->passed, (long long)t->failed, (long long)t->not_run, (long long)t->unsupported);
    if (t->planted)
        fprintf(report->stream, "planted faults: %lld, found: %lld\n", (long long)t->planted, (long long)t->found);
    if (!report->has_json) return MS_OK;
    json_t *object;
    MS_TRY(ms_json_pack(&object, what_line, "{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "type", "total", "rows",
                        (json_int_t)t->rows, "passed", (json_int_t)t->passed, "failed", (json_int_t)t->failed,
                        "unsupported", (json_int_t)t->unsupported, "not_run", (json_int_t)t->not_run, "planted",
                        (json_int_t)t->planted, "found", (json_int_t)t->found));
    MS_TRY(write_line(report, object));
    report->has_json = false;
    return ms_writer_commit(&report->json);
}

void ms_verify_report_destroy(ms_verify_report *report) {
    if (!report) return;
    if (report->has_json) ms_writer_abort(&report->json);
    free(report);
}
