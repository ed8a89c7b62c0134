#include "tracker/plot/script.h"

#include <math.h>
#include <string.h>

#include "platform/escape.h"

/* --- colours --- */

const char *ms_script_color(int i) {
    /* Okabe & Ito's colours, which colour-blind readers tell apart, without their yellow; then two more. */
    static const char *const colors[] = {"#0072b2", "#e69f00", "#009e73", "#d55e00",
                                         "#cc79a7", "#56b4e9", "#000000", "#8c6d31"};
    return colors[i % (int)(sizeof colors / sizeof *colors)];
}

const char *ms_script_projection_color(const char *name, int i) {
    static const char *const names[] = {"q", "k", "v", "o", "up", "down", "gate"};
    int n_names = (int)(sizeof names / sizeof *names), k = 0;
    while (k < n_names && strcmp(names[k], name) != 0) k++;
    return ms_script_color(k < n_names ? k : n_names + i);
}

enum { N_VIRIDIS = 5 };
static const unsigned char viridis[N_VIRIDIS][3] = {
    {0x44, 0x01, 0x54}, {0x3b, 0x52, 0x8b}, {0x21, 0x91, 0x8c}, {0x5e, 0xc9, 0x62}, {0xfd, 0xe7, 0x25}};

void ms_script_palette(FILE *out) {
    fprintf(out, "set palette defined (");
    for (int i = 0; i < N_VIRIDIS; i++)
        fprintf(out, "%s%g '#%02x%02x%02x'", i ? ", " : "", i / (N_VIRIDIS - 1.0), viridis[i][0], viridis[i][1],
                viridis[i][2]);
    fprintf(out, ")\n");
}

const char *ms_script_layer_color(int i, int n, char out[MS_COLOR_SIZE]) {
    double place = n > 1 ? 0.85 * i / (n - 1) * (N_VIRIDIS - 1) : 0; /* the yellow end is hard to see on white */
    int from = (int)place;
    int rgb[3];
    for (int c = 0; c < 3; c++)
        rgb[c] = (int)lround(viridis[from][c] + (place - from) * (viridis[from + 1][c] - viridis[from][c]));
    snprintf(out, MS_COLOR_SIZE, "#%02x%02x%02x", (unsigned)rgb[0] & 255, (unsigned)rgb[1] & 255,
             (unsigned)rgb[2] & 255);
    return out;
}

const char *ms_script_series_color(const ms_plot_data *data, int i, char out[MS_COLOR_SIZE]) {
    if (!data->runs) return ms_script_layer_color(i, data->n_layers, out);
    snprintf(out, MS_COLOR_SIZE, "%s", ms_script_color(i));
    return out;
}

int ms_script_series_mark(const ms_plot_data *data, int i) {
    static const int marks[] = {7, 5, 9, 13, 11, 6, 4, 8};
    return data->runs ? marks[i % (int)(sizeof marks / sizeof *marks)] : 7;
}

/* --- values, ranges and axes --- */

/* Bytes of the first n characters of UTF-8; all of them where there are no more. */
static size_t first_characters(const char *text, int n) {
    const char *c = text;
    for (; *c && (n > 0 || ((unsigned char)*c & 0xc0) == 0x80); c++) n -= ((unsigned char)c[1] & 0xc0) != 0x80;
    return (size_t)(c - text);
}

const char *ms_script_quoted(const char *text, int n_most, char *out, size_t size) {
    char shown[MS_QUOTED_SIZE];
    size_t used = 0;
    ms_escape(text, shown, sizeof shown);
    if (first_characters(shown, n_most) < strlen(shown)) strcpy(shown + first_characters(shown, n_most - 1), "…");
    for (const char *c = shown; *c && used + 3 < size; c++) {
        if (*c == '\'') out[used++] = '\'';
        out[used++] = *c;
    }
    out[used] = '\0';
    return out;
}

void ms_script_value(FILE *out, double value) {
    if (isfinite(value))
        fprintf(out, " %.9g", value);
    else
        fprintf(out, " NaN");
}

const char *ms_script_count(double count, char out[MS_COUNT_TEXT_SIZE]) {
    const char *units[] = {"", " k", " M", " B", " T"};
    int i = 0;
    for (; count >= 1000 && i < 4; i++) count /= 1000;
    snprintf(out, MS_COUNT_TEXT_SIZE, "%.3g%s", count, units[i]);
    return out;
}

void ms_range_add(ms_range *range, double value) {
    if (!isfinite(value)) return;
    bool empty = range->low > range->high;
    range->low = empty ? value : fmin(range->low, value);
    range->high = empty ? value : fmax(range->high, value);
}

ms_range ms_range_widened(ms_range range) {
    if (range.low > range.high) return (ms_range){0, 1};
    double margin = fmax(0.04 * (range.high - range.low), fmax(1e-6 * fabs(range.high), 1e-9));
    return (ms_range){range.low - margin, range.high + margin};
}

/* The smallest 1, 2 or 5 times a power of ten that cuts `range` into at most n_ticks pieces. */
static double round_interval(double range, int n_ticks) {
    double decade = pow(10, floor(log10(range / n_ticks)));
    static const double multiples[] = {1, 2, 5, 10};
    int i = 0;
    while (i < 3 && range / (decade * multiples[i]) > n_ticks) i++;
    return decade * multiples[i];
}

/* Of labels at multiples of the interval. */
static double decimals_of(double interval) { return fmax(0, -floor(log10(interval) + 1e-9)); }

int ms_script_value_characters(ms_range range, int n_ticks) {
    double interval = round_interval(range.high - range.low, n_ticks);
    int decimals = (int)fmin(decimals_of(interval), 8);
    int low = snprintf(NULL, 0, "%.*f", decimals, ceil(range.low / interval) * interval);
    int high = snprintf(NULL, 0, "%.*f", decimals, floor(range.high / interval) * interval);
    return low > high ? low : high;
}

void ms_script_value_axis(FILE *out, const char *axis, ms_range range, int n_ticks, bool labelled) {
    double interval = round_interval(range.high - range.low, n_ticks);
    double decimals = decimals_of(interval);
    fprintf(out, "set %srange [%.17g:%.17g]\nset %stics %.9g\n", axis, range.low, range.high, axis, interval);
    if (!labelled)
        fprintf(out, "set format %s ''\n", axis);
    else if (decimals > 8 || fmax(fabs(range.low), fabs(range.high)) >= 1e7)
        fprintf(out, "set format %s '%%.4g'\n", axis);
    else
        fprintf(out, "set format %s '%%.%.0ff'\n", axis, decimals);
}

/* One of the lines of the log that has steps and tokens. */
static const ms_plot_loss *log_lines(const ms_plot_data *data, size_t *out_n) {
    *out_n = data->n_training ? data->n_training : data->n_validation;
    return data->n_training ? data->training : data->validation;
}

/* The step at which a number of tokens was reached: linear between the lines of the log, from (0, 0) on. */
static double step_of_tokens(const ms_plot_data *data, double tokens) {
    size_t n;
    const ms_plot_loss *list = log_lines(data, &n);
    double step = 0, reached = 0;
    for (size_t i = 0; i < n; i++) {
        double next_step = (double)list[i].step, next = (double)list[i].tokens;
        if (next >= tokens && next > reached) return step + (tokens - reached) / (next - reached) * (next_step - step);
        if (next > reached) {
            step = next_step;
            reached = next;
        }
    }
    return reached > 0 ? step * tokens / reached : 0; /* beyond the log: at its mean rate */
}

/* Tokens at a step, the same the other way round. */
static double tokens_of_step(const ms_plot_data *data, double step) {
    size_t n;
    const ms_plot_loss *list = log_lines(data, &n);
    double before = 0, tokens = 0;
    for (size_t i = 0; i < n; i++) {
        double next = (double)list[i].step, next_tokens = (double)list[i].tokens;
        if (next >= step && next > before) return tokens + (step - before) / (next - before) * (next_tokens - tokens);
        if (next > before) {
            before = next;
            tokens = next_tokens;
        }
    }
    return before > 0 ? tokens * step / before : 0;
}

enum { TOKEN_CHARACTERS = 6 }; /* "1.25 M" */

/* Labels of so many characters that fit beside each other. */
static int n_labels(double wide, int n_characters) {
    return (int)fmax(1, fmin(8, floor(wide / (13 * n_characters + 18))));
}

static int n_digits(double value) { return 1 + (int)floor(log10(fmax(value, 1))); }

void ms_script_step_axis(FILE *out, const ms_plot_data *data, const ms_step_axis *axis) {
    double low = axis->steps.low, high = axis->steps.high;
    if (!(high > low)) high = low + 1;
    fprintf(out, "set xrange [%.17g:%.17g]\nset x2range [%.17g:%.17g]\nset xlabel '%s' offset 0,0.3\n", low, high, low,
            high, axis->bottom ? "step" : "");
    fprintf(out, "set xtics nomirror %.17g\nset format x '%s'\n",
            fmax(1, round_interval(high - low, n_labels(axis->wide, n_digits(high)))), axis->bottom ? "%.0f" : "");
    if (!axis->top) {
        fprintf(out, "set x2label ''\nunset x2tics\n");
        return;
    }
    fprintf(out, "set x2label 'tokens' offset 0,-0.3\nset x2tics (");
    int n_tokens = n_labels(axis->wide, TOKEN_CHARACTERS);
    double first = tokens_of_step(data, fmax(low, 0)), last = tokens_of_step(data, high);
    double interval = last > first ? round_interval(last - first, n_tokens) : 1;
    const char *separator = "";
    /* No more than that many: where tokens are so large that they round, adding an interval may change nothing. */
    for (int i = 0; i <= 2 * n_tokens && last > first; i++) {
        double tokens = (ceil(first / interval) + i) * interval;
        if (!(tokens <= last * (1 + 1e-9))) break;
        char text[MS_COUNT_TEXT_SIZE];
        fprintf(out, "%s'%s' %.17g", separator, ms_script_count(tokens, text), step_of_tokens(data, tokens));
        separator = ", ";
    }
    fprintf(out, ")\n");
}

ms_range ms_script_cell(int64_t before, int64_t step, int64_t after) {
    double left = before >= 0 ? (double)(step - before) : after >= 0 ? (double)(after - step) : 1;
    double right = after >= 0 ? (double)(after - step) : left;
    return (ms_range){(double)step - left / 2, (double)step + right / 2};
}

void ms_script_layer_axis(FILE *out, const int *layers, int n, bool labelled) {
    fprintf(out, "set yrange [-0.5:%g]\nset format y '%%.0f'\nset ytics (", n - 0.5);
    for (int i = 0; i < n; i += 1 + n / 12)
        if (labelled)
            fprintf(out, "%s'%d' %d", i ? ", " : "", layers[i], i);
        else
            fprintf(out, "%s'' %d", i ? ", " : "", i);
    fprintf(out, ")\nset ylabel '%s'\n", labelled ? "layer" : "");
}
