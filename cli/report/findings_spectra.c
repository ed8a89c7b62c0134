/* Rules about matrices beside what chance makes of them: size, depth, alignment, entropy. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/findings.h"
#include "platform/median.h"
#include "tracker/random_matrix.h"

/* The matrices of one projection, by layer. */
struct projection {
    const char *name;
    size_t matrices[MS_REPORT_LAYERS];
    int layers[MS_REPORT_LAYERS];
    size_t n;
};

/* The i-th struct projection of a run; false: it has fewer. */
static bool find_projection(const ms_report_run *run, size_t i_projection, struct projection *out) {
    size_t n_seen = 0, i_first = run->n_matrices;
    for (size_t i = 0; i < run->n_matrices && i_first == run->n_matrices; i++) {
        bool is_new = true;
        for (size_t k = 0; k < i && is_new; k++)
            is_new = strcmp(run->matrices[k].projection, run->matrices[i].projection) != 0;
        if (is_new && n_seen++ == i_projection) i_first = i;
    }
    if (i_first == run->n_matrices) return false;
    out->name = run->matrices[i_first].projection;
    out->n = 0;
    for (int layer = 0; layer < MS_REPORT_LAYERS; layer++) out->layers[layer] = -1;
    for (size_t i = i_first; i < run->n_matrices; i++)
        if (strcmp(run->matrices[i].projection, out->name) == 0) out->layers[run->matrices[i].layer] = (int)i;
    for (int layer = 0; layer < MS_REPORT_LAYERS; layer++) {
        if (out->layers[layer] < 0) continue;
        out->matrices[out->n] = (size_t)out->layers[layer];
        out->layers[out->n++] = layer; /* n <= layer: what is overwritten was read */
    }
    return true;
}

static int key_of(const ms_findings *findings, const char *key) {
    return ms_report_table_find(&findings->run->spectra, key);
}

static int64_t step_of(const ms_report_run *run, size_t i_snapshot) {
    return run->spectra.steps[run->snapshots.first[i_snapshot]];
}

/* Whether the first snapshot is one before any update. */
static bool has_beginning(const ms_report_run *run) { return run->snapshots.n_snapshots > 1 && step_of(run, 0) == 0; }

/* --- alignment --- */

struct excess {
    size_t n, n_above;             /* values, in the layers that exceed */
    size_t n_other, n_other_above; /* in the others */
    int layers[MS_REPORT_LAYERS];  /* [n_layers] */
    size_t n_layers, n_other_layers;
    double n_effective; /* what the n values count as, were they independent */
};

/* Whether so many of n independent values above a 95th percentile are no chance: by Chernoff's (1952) bound of the
   binomial distribution, exp(-n KL(share, 0.05)), less often than in 1 of 20,000 layers.  6 of 12 are. */
static bool is_beyond_chance(double share, double n) {
    const double chance = 0.05, rare = 5e-5;
    if (share <= chance) return false;
    double rest = share < 1 ? (1 - share) * log((1 - share) / (1 - chance)) : 0;
    return exp(-n * (share * log(share / chance) + rest)) <= rare;
}

/* values: room for one of each snapshot.  A layer exceeds where it has enough values, half of them are above the
   percentile, and so many would not be if as many were independent as theirs count as. */
static void count_excess(const ms_report_run *run, const struct projection *of, int key, int percentile, double *values,
                         struct excess *out) {
    *out = (struct excess){.n = 0};
    for (size_t i = 0; i < of->n; i++) {
        size_t n = 0, n_above = 0;
        for (size_t s = 0; s < run->snapshots.n_snapshots; s++) {
            double value = ms_report_run_value(run, s, of->matrices[i], key);
            double limit = ms_report_run_value(run, s, of->matrices[i], percentile);
            if (!isfinite(value) || !isfinite(limit)) continue;
            values[n++] = value;
            n_above += value > limit;
        }
        double n_effective = n > 0 ? ms_findings_effective_number(values, n) : 0;
        bool exceeds =
            n >= MS_FINDINGS_LEAST && 2 * n_above >= n && is_beyond_chance((double)n_above / (double)n, n_effective);
        if (exceeds) out->n_effective += n_effective;
        if (exceeds) out->layers[out->n_layers++] = of->layers[i];
        out->n_other_layers += !exceeds && n > 0;
        *(exceeds ? &out->n : &out->n_other) += n;
        *(exceeds ? &out->n_above : &out->n_other_above) += n_above;
    }
}

static bool is_merged(const ms_report_run *run, const char *projection) {
    return run->has_config && run->config.attention.merged && run->config.muon.split == MS_SPLIT_MERGED &&
           strchr("qkvo", projection[0]) && projection[1] == '\0';
}

static ms_status say_excess(ms_findings *findings, const char *name, const char *projection,
                            const struct excess *excess) {
    static const char *const controls[] = {
        "of independent random subspaces 5 % are above it",
        "of independent random subspaces 5 % are above it; q, k, v and o are orthogonalised as one matrix, which alone "
        "lifts their alignment: compare with muon.split per_projection"};
    char layers[256], others[96] = "";
    if (excess->n_other_layers > 0)
        snprintf(others, sizeof others, ", in the other layers in %zu of %zu", excess->n_other_above, excess->n_other);
    return ms_findings_say(
        findings, "alignment", controls[is_merged(findings->run, projection)],
        "Alignment of %s with the weights of %s in %s exceeds the 95th percentile of chance in %zu of "
        "%zu snapshots (by chance %.0f; as alike as neighbours are, the %zu count as %.0f independent ones)%s.",
        name, projection, ms_findings_layers(excess->layers, excess->n_layers, layers, sizeof layers), excess->n_above,
        excess->n, 0.05 * (double)excess->n, excess->n, excess->n_effective, others);
}

ms_status ms_finding_alignment(ms_findings *findings) {
    static const struct {
        const char *key, *percentile, *name;
    } metrics[] = {{"alignment_left", "alignment_random_p95", "the update"},
                   {"alignment_momentum_left", "alignment_random_p95", "the momentum"}};
    struct projection *of = malloc(sizeof *of);
    struct excess *excess = malloc(sizeof *excess);
    double *values = malloc((findings->run->snapshots.n_snapshots + 1) * sizeof *values);
    ms_status status = of && excess && values ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for layers");
    for (size_t k = 0; k < sizeof metrics / sizeof *metrics && status == MS_OK; k++) {
        size_t n_said = 0;
        for (size_t p = 0; status == MS_OK && find_projection(findings->run, p, of); p++) {
            count_excess(findings->run, of, key_of(findings, metrics[k].key), key_of(findings, metrics[k].percentile),
                         values, excess);
            if (excess->n_layers == 0) continue;
            n_said++;
            status = say_excess(findings, metrics[k].name, of->name, excess);
        }
        if (status == MS_OK && n_said == 0)
            status = ms_findings_be_silent(findings, "alignment",
                                           "alignment of %s: no layer with at least %d snapshots of which half, and "
                                           "more than chance would give as "
                                           "many independent ones as they count as, are above the 95th percentile",
                                           metrics[k].name, MS_FINDINGS_LEAST);
    }
    free(of);
    free(excess);
    free(values);
    return status;
}

/* --- size and depth: s1 over its noise null at the last snapshot --- */

/* ratios [n of layers that have one].  Matrices that began larger than a fifth of the null by now have none. */
static size_t get_ratios(const ms_findings *findings, const struct projection *of, double *ratios, int *layers) {
    const ms_report_run *run = findings->run;
    size_t last = run->snapshots.n_snapshots - 1, n = 0;
    for (size_t i = 0; i < of->n; i++) {
        double now = ms_report_run_value(run, last, of->matrices[i], key_of(findings, "sigma_max"));
        double first = ms_report_run_value(run, 0, of->matrices[i], key_of(findings, "sigma_max"));
        double null = ms_report_run_value(run, last, of->matrices[i], key_of(findings, "noise_null"));
        if (!isfinite(now) || !(null > 0) || !(first < 0.2 * null)) continue;
        layers[n] = of->layers[i];
        ratios[n++] = now / null;
    }
    return n;
}

typedef struct ratio_rule {
    ms_findings *findings;
    struct projection of;
    double ratios[MS_REPORT_LAYERS], sorted[MS_REPORT_LAYERS];
    int layers[MS_REPORT_LAYERS];
    size_t n;
} ratio_rule;

static ms_status say_size(ratio_rule *rule, bool *out_said) {
    const ms_report_run *run = rule->findings->run;
    int64_t step = step_of(run, run->snapshots.n_snapshots - 1);
    double margin = step >= 300 ? 0.08 : 0.10;
    size_t n_above = 0, n_below = 0, n = rule->n;
    char control[MS_FINDINGS_TEXT];
    for (size_t i = 0; i < n; i++) {
        n_above += rule->ratios[i] > 1 + margin;
        n_below += rule->ratios[i] < 1 - margin;
    }
    if (n == 0 || (4 * n_above < 3 * n && 4 * n_below < 3 * n)) return MS_OK;
    *out_said = true;
    memcpy(rule->sorted, rule->ratios, n * sizeof *rule->sorted);
    double median = ms_median(rule->sorted, (int)n);
    snprintf(
        control, sizeof control,
        "noise null: what Gaussian gradients alone give under these rates; more than %.0f %% off is asked for, which "
        "is the formula's error, the scatter of a run and what the first weights add",
        100 * margin);
    bool above = n_above >= n_below;
    return ms_findings_say(
        rule->findings, "size", control,
        "At step %lld the largest singular value of %s is %s its noise null in %zu of %zu layers: median "
        "%.2f times it (%.2f to %.2f).",
        (long long)step, rule->of.name, above ? "above" : "below", above ? n_above : n_below, n, median,
        rule->sorted[0], rule->sorted[n - 1]);
}

static ms_status say_depth(ratio_rule *rule, size_t n_projections, bool *out_said) {
    double p, rho = ms_findings_rank_correlation(rule->ratios, rule->n), asked = 0.05 / (double)n_projections;
    char control[MS_FINDINGS_TEXT];
    if (rule->n < 6) return MS_OK;
    MS_TRY(ms_findings_shuffle_p(rule->ratios, rule->n, &p));
    if (!(p <= asked)) return MS_OK;
    *out_said = true;
    snprintf(
        control, sizeof control,
        "p is that of layers shuffled 9,999 times, at most %.2g is asked for; layers of one run are no replicates, "
        "other seeds may differ",
        asked);
    return ms_findings_say(
        rule->findings, "depth", control,
        "The largest singular value of %s over its noise null %s with depth: from %.2f in layer %d to "
        "%.2f in layer %d (rank correlation %.2f over %zu layers, p %.2g).",
        rule->of.name, rho > 0 ? "rises" : "falls", rule->ratios[0], rule->layers[0], rule->ratios[rule->n - 1],
        rule->layers[rule->n - 1], rho, rule->n, p);
}

static ms_status for_ratios(ms_findings *findings, bool depth, bool *out_said) {
    const ms_report_run *run = findings->run;
    ratio_rule *rule = malloc(sizeof *rule);
    size_t n_projections = 0;
    ms_status status = MS_OK;
    *out_said = false;
    if (!rule) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for layers");
    rule->findings = findings;
    if (!has_beginning(run) || step_of(run, run->snapshots.n_snapshots - 1) < 100) {
        free(rule);
        return MS_OK;
    }
    while (find_projection(run, n_projections, &rule->of)) n_projections++;
    for (size_t p = 0; status == MS_OK && find_projection(run, p, &rule->of); p++) {
        rule->n = get_ratios(findings, &rule->of, rule->ratios, rule->layers);
        status = depth ? say_depth(rule, n_projections, out_said) : say_size(rule, out_said);
    }
    free(rule);
    return status;
}

ms_status ms_finding_size(ms_findings *findings) {
    bool said;
    MS_TRY(for_ratios(findings, false, &said));
    if (said) return MS_OK;
    return ms_findings_be_silent(
        findings, "size",
        "no projection whose largest singular value is off its noise null in three quarters of "
        "the layers (from step 100 on; a snapshot before the first step and a null are needed)");
}

ms_status ms_finding_depth(ms_findings *findings) {
    bool said;
    MS_TRY(for_ratios(findings, true, &said));
    if (said) return MS_OK;
    return ms_findings_be_silent(
        findings, "depth",
        "no projection of 6 or more layers with a noise null (from step 100 on) in which s1 over "
        "it goes with depth more than shuffled layers do");
}

/* --- entropy --- */

typedef struct entropies {
    double low, high, now, random; /* of value minus random before the first step; means */
    size_t n, n_below;
} entropies;

static double above_random(const ms_findings *findings, size_t snapshot, size_t i_matrix, double *out_random) {
    const ms_report_matrix *matrix = &findings->run->matrices[i_matrix];
    *out_random = matrix->rows > 0 && matrix->cols > 0 ? ms_random_spectral_entropy(matrix->rows, matrix->cols) : NAN;
    return ms_report_run_value(findings->run, snapshot, i_matrix, key_of(findings, "spectral_entropy")) - *out_random;
}

static void get_entropies(const ms_findings *findings, const struct projection *of, entropies *out) {
    double random;
    *out = (entropies){.low = INFINITY, .high = -INFINITY};
    for (size_t i = 0; i < of->n; i++) {
        double first = above_random(findings, 0, of->matrices[i], &random);
        if (!isfinite(first)) continue;
        out->low = fmin(out->low, first);
        out->high = fmax(out->high, first);
    }
    for (size_t i = 0; i < of->n; i++) {
        double now = above_random(findings, findings->run->snapshots.n_snapshots - 1, of->matrices[i], &random);
        if (!isfinite(now)) continue;
        out->n++;
        out->now += now + random;
        out->random += random;
        out->n_below += now < out->low - (out->high - out->low);
    }
}

ms_status ms_finding_entropy(ms_findings *findings) {
    const ms_report_run *run = findings->run;
    struct projection *of = malloc(sizeof *of);
    ms_status status = of ? MS_OK : MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for layers");
    bool said = false;
    for (size_t p = 0; status == MS_OK && has_beginning(run) && find_projection(run, p, of); p++) {
        entropies e;
        get_entropies(findings, of, &e);
        if (e.n < 3 || 4 * e.n_below < 3 * e.n) continue;
        said = true;
        double n = (double)e.n;
        status = ms_findings_say(
            findings, "entropy",
            "the first weights, which are random: below the lowest of theirs by more than their range is asked for",
            "The spectral entropy of %s is below that of a random matrix in %zu of %zu layers at step %lld: %.4f on "
            "average "
            "where random ones have %.4f and the first weights had %.4f to %.4f.",
            of->name, e.n_below, e.n, (long long)step_of(run, run->snapshots.n_snapshots - 1), e.now / n, e.random / n,
            e.random / n + e.low, e.random / n + e.high);
    }
    free(of);
    if (status != MS_OK || said) return status;
    return ms_findings_be_silent(
        findings, "entropy",
        "no projection of 3 or more layers whose entropy is below that of its first weights in "
        "three quarters of the layers");
}
