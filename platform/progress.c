#include "platform/progress.h"

#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/escape.h"
#include "platform/output.h"

static int begin_line(const ms_step_line *line, char *out, size_t size) {
    char total[24];
    int width = snprintf(total, sizeof total, "%lld", (long long)line->n_steps);
    return snprintf(out, size, "step %*lld/%s", width, (long long)line->step, total);
}

const char *ms_step_line_text(const ms_step_line *line, char *out, size_t size) {
    char begin[64], eta[24], mfu[32] = "", loss[32] = "none", rate[32] = "";
    begin_line(line, begin, sizeof begin);
    if (!isnan(line->loss)) snprintf(loss, sizeof loss, "%.4f", line->loss);
    if (!isnan(line->tokens_per_second)) snprintf(rate, sizeof rate, "  %7.0f tok/s", line->tokens_per_second);
    if (line->mfu > 1)
        snprintf(mfu, sizeof mfu, "  MFU  >100%%");
    else if (line->mfu >= 0)
        snprintf(mfu, sizeof mfu, "  MFU %5.1f%%", 100 * line->mfu);
    snprintf(out, size, "%s  loss %8s  lr %.2e  grad %9.3g  %6.*f ms%s%s  ETA %s", begin, loss, line->lr,
             line->gradient_norm, line->milliseconds < 10 ? 2 : 0, line->milliseconds, rate, mfu,
             ms_duration_text(line->eta_seconds, eta, sizeof eta));
    return out;
}

const char *ms_validation_line_text(const ms_step_line *line, double bits_per_byte, char *out, size_t size) {
    char begin[64], bits[48] = "";
    begin_line(line, begin, sizeof begin);
    if (isfinite(bits_per_byte)) snprintf(bits, sizeof bits, ", %.4f bits per byte", bits_per_byte);
    snprintf(out, size, "%s  validation loss %8.4f%s", begin, line->loss, bits);
    return out;
}

int64_t ms_progress_every(int64_t n_steps) {
    enum { LINES = 50 };
    static const int64_t of_ten[] = {1, 2, 5};
    for (int64_t power = 1;; power *= 10)
        for (int i = 0; i < 3; i++)
            if (n_steps / (of_ten[i] * power) <= LINES) return of_ten[i] * power;
}

void ms_progress_init(FILE *stream, int64_t every, ms_progress *out) {
    out->stream = stream;
    out->live = isatty(fileno(stream));
    out->showing = false;
    out->every = every;
}

/* Columns of the terminal, asked each time because windows are resized; 80 when it does not say. */
static int columns(FILE *stream) {
    struct winsize size;
    memset(&size, 0, sizeof size);
    if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

bool ms_progress_step(ms_progress *progress, const ms_step_line *line) {
    bool last = line->step >= line->n_steps;
    bool stays = last || line->step == 1 || line->step % progress->every == 0;
    char text[256];
    ms_step_line_text(line, text, sizeof text);
    if (!progress->live) {
        if (stays) fprintf(progress->stream, "%s\n", text);
    } else if (stays) {
        fprintf(progress->stream, "\r\033[K%s\n", text);
        progress->showing = false;
    } else {
        /* One column short of the edge: a full line would wrap and \r could not take it back. */
        fprintf(progress->stream, "\r\033[K%.*s", columns(progress->stream) - 1, text);
        progress->showing = true;
    }
    ms_print_flush(progress->stream);
    return stays;
}

void ms_progress_break(ms_progress *progress) {
    if (!progress->showing) return;
    fputc('\n', progress->stream);
    ms_print_flush(progress->stream);
    progress->showing = false;
}

void ms_progress_print(ms_progress *progress, const char *text) {
    ms_progress_break(progress);
    fprintf(progress->stream, "%s\n", text);
    ms_print_flush(progress->stream);
}

double ms_progress_smooth(double smoothed, double seconds) {
    return smoothed > 0 ? 0.9 * smoothed + 0.1 * seconds : seconds;
}

void ms_work_line_init(FILE *stream, double now, ms_work_line *out) {
    *out = (ms_work_line){.stream = stream, .live = isatty(fileno(stream)), .shown = now};
}

bool ms_work_line_is_due(const ms_work_line *line, double now) { return now - line->shown >= (line->live ? 0.2 : 10); }

void ms_work_line_show(ms_work_line *line, double now, const char *text) {
    char escaped[512];
    ms_escape(text, escaped, sizeof escaped);
    if (line->live)
        fprintf(line->stream, "\r\033[K%.*s", columns(line->stream) - 1, escaped);
    else
        fprintf(line->stream, "%s\n", escaped);
    ms_print_flush(line->stream);
    line->showing = line->live;
    line->shown = now;
}

void ms_work_line_end(ms_work_line *line) {
    if (line->showing) fputs("\r\033[K", line->stream);
    ms_print_flush(line->stream);
    line->showing = false;
}
