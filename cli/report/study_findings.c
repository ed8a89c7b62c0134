/* What a study's hypotheses came to, in sentences: docs/report.md. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/report/findings.h"
#include "cli/report/study.h"

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* The first control arm whose mean is as far from what is expected as the near end of the interval, on its side; NULL:
   none is. */
static const json_t *find_control(const json_t *hypothesis, double expected, bool above, double near) {
    size_t i;
    json_t *group;
    json_array_foreach(json_object_get(hypothesis, "controls"), i, group) {
        double mean = number_of(group, "mean");
        if (isfinite(mean) && (above ? mean - expected >= near - expected : expected - mean >= expected - near))
            return group;
    }
    return NULL;
}

/* "p .0078, .039 after Holm's correction; noise: 0.001, shuffled: 0.0003" */
static void describe_controls(const json_t *hypothesis, bool is_paired, char *out, size_t size) {
    size_t i;
    json_t *group;
    double p = number_of(hypothesis, "p"), holm = number_of(hypothesis, "p_holm");
    int used = isfinite(p) ? snprintf(out, size, "exact sign flips give p %.2g, %.2g after Holm's correction", p, holm)
                           : snprintf(out, size, "the interval alone, %s", text_of(hypothesis, "why_no_p"));
    json_array_foreach(json_object_get(hypothesis, "controls"), i, group) {
        double mean = number_of(group, "mean");
        if (is_paired || used < 0 || (size_t)used >= size) continue;
        if (isfinite(mean))
            used += snprintf(out + used, size - (size_t)used, "; control %s: %.3g", text_of(group, "arm"), mean);
        else
            used += snprintf(out + used, size - (size_t)used, "; control %s: no value yet", text_of(group, "arm"));
    }
}

static ms_status judge(ms_findings *findings, const json_t *hypothesis) {
    const char *name = text_of(hypothesis, "name"), *against = text_of(hypothesis, "against");
    double low = number_of(hypothesis, "low"), high = number_of(hypothesis, "high"),
           mean = number_of(hypothesis, "mean");
    double expected = number_of(hypothesis, "expected"), holm = number_of(hypothesis, "p_holm");
    int n = (int)json_integer_value(json_object_get(hypothesis, "n"));
    char control[MS_FINDINGS_TEXT];
    if (!isfinite(expected)) expected = 0;
    if (!isfinite(low) || !isfinite(high)) return ms_findings_be_silent(findings, name, "%d seeds give no interval", n);
    bool above = low > expected;
    if (!above && !(high < expected))
        return ms_findings_be_silent(findings, name, "the interval, %.3g to %.3g, has %.3g in it", low, high, expected);
    if (holm > 0.05) return ms_findings_be_silent(findings, name, "p is %.2g after Holm's correction", holm);
    const json_t *as_much = *against ? NULL : find_control(hypothesis, expected, above, above ? low : high);
    if (as_much)
        return ms_findings_be_silent(findings, name, "the control %s shows as much: %.3g", text_of(as_much, "arm"),
                                     number_of(as_much, "mean"));
    describe_controls(hypothesis, *against != '\0', control, sizeof control);
    return ms_findings_say(findings, name, control,
                           "%s: %s%s%s%s%s gives %.3g (interval %.3g to %.3g, %d seeds), where %.3g "
                           "is expected if nothing is there.",
                           name, text_of(hypothesis, "statement"), *text_of(hypothesis, "statement") ? " " : "",
                           text_of(hypothesis, "arm"), *against ? " minus " : "", against, mean, low, high, n,
                           expected);
}

ms_status ms_study_add_findings(const json_t *results, json_t *data) {
    size_t i;
    json_t *hypothesis;
    ms_findings findings;
    MS_TRY(ms_findings_begin(NULL, NULL, data, &findings));
    json_array_foreach(json_object_get(results, "hypotheses"), i, hypothesis) MS_TRY(judge(&findings, hypothesis));
    return MS_OK;
}
