#include "train/text_print.h"

#include <errno.h>
#include <string.h>

#include "platform/output.h"

static ms_status check_written(FILE *stream) {
    if (stream == stdout) {
        MS_TRY_NOTE(ms_output_flush(), "generate");
        return MS_OK;
    }
    errno = 0;
    if (fflush(stream) == 0 && !ferror(stream)) return MS_OK;
    return MS_FAIL(MS_IO, "generate: cannot write the text: %s",
                   errno ? strerror(errno) : "an earlier part is missing");
}

static void put(const ms_text_printer *printer, const void *text, size_t size_bytes) {
    ms_print_text(printer->stream, text, size_bytes);
    if (printer->copy) fwrite(text, 1, size_bytes, printer->copy);
}

static ms_status begin(void *context, const ms_drawn_text *text) {
    ms_text_printer *printer = context;
    if (printer->has_headings)
        fprintf(printer->stream, "%s-- prompt %lld, sample %lld\n", printer->n_begun > 0 ? "\n" : "",
                (long long)text->i_prompt + 1, (long long)text->i_sample + 1);
    printer->n_begun++;
    printer->is_within = true;
    put(printer, text->prompt, text->prompt_bytes);
    ms_print_flush(printer->stream);
    return MS_OK;
}

static ms_status more(void *context, const char *bytes, size_t n) {
    ms_text_printer *printer = context;
    put(printer, bytes, n);
    ms_print_flush(printer->stream);
    return ferror(printer->stream) ? check_written(printer->stream) : MS_OK;
}

static ms_status end(void *context, const ms_drawn_text *text) {
    (void)text;
    ms_text_printer *printer = context;
    ms_text_printer_finish(printer);
    return check_written(printer->stream);
}

ms_text_sink ms_text_printer_sink(ms_text_printer *printer) {
    return (ms_text_sink){.context = printer, .begin = begin, .more = more, .end = end};
}

void ms_text_printer_finish(ms_text_printer *printer) {
    if (printer->is_within) fputc('\n', printer->stream);
    printer->is_within = false;
}
