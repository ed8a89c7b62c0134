/* Rules about losses: loss, rise, frequency. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/report/findings.h"
#include "model/data/dataset_sidecar.h"

/* A number of the validations' lines. */
static double at(const ms_report_table *table, size_t line, int key) {
    return key < 0 ? NAN : table->values[line * (size_t)table->n_keys + (size_t)key];
}

/* Tokens that the model can predict; 0: not known. */
static int64_t vocabulary(const ms_report_run *run) {
    ms_sidecar sidecar;
    if (run->has_config && run->config.model.vocabulary > 0) return run->config.model.vocabulary;
    if (ms_sidecar_read(run->folder, &sidecar) != MS_OK) return 0;
    int64_t n = sidecar.vocab_size;
    ms_sidecar_finish(&sidecar);
    return n;
}

ms_status ms_finding_loss(ms_findings *findings) {
    const ms_report_table *table = &findings->run->validations;
    int key = ms_report_table_find(table, "validation_loss");
    size_t last = table->n - 1;
    char control[MS_FINDINGS_TEXT];
    if (table->n < 2 || table->steps[0] != 0)
        return ms_findings_be_silent(findings, "loss", "no validation before the first step and after it");
    double first = at(table, 0, key), now = at(table, last, key);
    if (!isfinite(first) || !isfinite(now))
        return ms_findings_be_silent(findings, "loss", "the first or the last validation loss is not finite");
    if (!(now < first)) return ms_findings_be_silent(findings, "loss", "the validation loss did not fall");
    int64_t n = vocabulary(findings->run);
    if (n > 1)
        snprintf(control, sizeof control, "a uniform guess over %lld tokens: %.4g nats", (long long)n, log((double)n));
    else
        snprintf(control, sizeof control, "the loss before the first step");
    return ms_findings_say(findings, "loss", control,
                           "The validation loss fell from %.4g to %.4g nats per token in %lld steps (%.3g million "
                           "tokens).",
                           first, now, (long long)table->steps[last], 1e-6 * table->tokens[last]);
}

ms_status ms_finding_rise(ms_findings *findings) {
    const ms_report_table *table = &findings->run->validations;
    int key = ms_report_table_find(table, "validation_loss");
    size_t lowest = 0;
    for (size_t i = 0; i < table->n; i++)
        if (at(table, i, key) < at(table, lowest, key) || !isfinite(at(table, lowest, key))) lowest = i;
    if (table->n < 3) return ms_findings_be_silent(findings, "rise", "fewer than 3 validations");
    double least = at(table, lowest, key), now = at(table, table->n - 1, key);
    if (!(now > 1.01 * least))
        return ms_findings_be_silent(findings, "rise", "the last validation loss is not 1 %% above the lowest");
    return ms_findings_say(
        findings, "rise", "the lowest validation loss of the run; less than 1 % above it says nothing",
        "The validation loss has risen by %.2g %%: from %.4g nats at step %lld to %.4g at step %lld.",
        100 * (now / least - 1), least, (long long)table->steps[lowest], now, (long long)table->steps[table->n - 1]);
}

ms_status ms_finding_frequency(ms_findings *findings) {
    const ms_report_table *table = &findings->run->validations;
    int first_key = -1;
    char control[MS_FINDINGS_TEXT];
    for (int k = 0; k < table->n_keys && first_key < 0; k++)
        if (strcmp(table->keys[k].metric->key, "loss_by_frequency") == 0) first_key = k;
    if (table->n < 2 || table->steps[0] != 0)
        return ms_findings_be_silent(findings, "frequency", "no validation before the first step and after it");
    double low = INFINITY, high = -INFINITY, frequent = NAN, rare = NAN;
    for (int d = 0; d < 10; d++) {
        double before = at(table, 0, first_key + d), now = at(table, table->n - 1, first_key + d);
        if (first_key < 0 || !isfinite(before) || !isfinite(now))
            return ms_findings_be_silent(findings, "frequency", "no loss by token frequency for all ten tenths");
        low = fmin(low, before);
        high = fmax(high, before);
        if (d == 0) frequent = before - now;
        if (d == 9) rare = before - now;
    }
    if (!(frequent - rare > high - low))
        return ms_findings_be_silent(findings, "frequency",
                                     "the fall of the two ends differs by no more than the tenths differed before the "
                                     "first step");
    snprintf(control, sizeof control, "before the first step the ten tenths were at %.4g to %.4g nats", low, high);
    return ms_findings_say(
        findings, "frequency", control,
        "Frequent tokens were learned first: the loss of the most frequent tenth of the text fell by "
        "%.3g nats, that of the rarest by %.3g.",
        frequent, rare);
}
