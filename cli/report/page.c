/* The page: page/index.html with its parts put in. */
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report/assets.h"
#include "cli/report/report.h"
#include "platform/file.h"
#include "platform/status.h"

/* JSON inside of <script>: nothing in it ends the element or begins a comment of HTML, and it stays the same JSON. */
static void write_data(FILE *stream, const char *data, size_t size_bytes) {
    for (size_t i = 0; i < size_bytes; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c == '<' || c == '>' || c == '&')
            fprintf(stream, "\\u%04x", (unsigned)c);
        else
            fputc(c, stream);
    }
}

static void write_asset(FILE *stream, const char *name) {
    for (const ms_report_asset *asset = ms_report_assets; asset->name; asset++)
        if (strcmp(asset->name, name) == 0) fwrite(asset->bytes, 1, asset->size_bytes, stream);
}

static const ms_report_asset *find_asset(const char *name) {
    const ms_report_asset *asset = ms_report_assets;
    while (asset->name && strcmp(asset->name, name) != 0) asset++;
    return asset->name ? asset : NULL;
}

/* Copies index.html; "{{name}}" is the asset of that name, "{{data}}" the data. */
static void write_page(FILE *stream, const ms_report_asset *page, const char *data, size_t size_bytes) {
    const char *at = (const char *)page->bytes, *end = at + page->size_bytes;
    while (at < end) {
        char name[64];
        const char *open = strstr(at, "{{"); /* the bytes end with a NUL */
        const char *close = open ? strstr(open, "}}") : NULL;
        if (!close || (size_t)(close - open) - 2 >= sizeof name) break;
        fwrite(at, 1, (size_t)(open - at), stream);
        memcpy(name, open + 2, (size_t)(close - open) - 2);
        name[(size_t)(close - open) - 2] = '\0';
        if (strcmp(name, "data") != 0)
            write_asset(stream, name);
        else if (data)
            write_data(stream, data, size_bytes);
        at = close + 2;
    }
    fwrite(at, 1, (size_t)(end - at), stream);
}

static ms_status check_data(const char *data, size_t size_bytes) {
    json_t *object = data ? json_loadb(data, size_bytes, 0, NULL) : json_object();
    bool good = json_is_object(object);
    json_decref(object);
    return good ? MS_OK : MS_FAIL(MS_INVALID, "report: its data are no JSON object");
}

ms_status ms_report_page(const char *data, size_t data_size_bytes, char **out_text, size_t *out_size_bytes) {
    const ms_report_asset *page = find_asset("index.html");
    *out_text = NULL;
    *out_size_bytes = 0;
    if (!page || !find_asset("chart.min.js"))
        return MS_FAIL(MS_UNSUPPORTED,
                       "report: this muonscope was built without Chart.js: install the package "
                       "libjs-chart.js (or name its chart.min.js by -DMS_CHART_JS=FILE) and build again");
    MS_TRY(check_data(data, data_size_bytes));
    FILE *stream = open_memstream(out_text, out_size_bytes);
    if (!stream) return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for a page");
    write_page(stream, page, data, data_size_bytes);
    bool failed = ferror(stream) != 0;
    if (fclose(stream) == 0 && !failed) return MS_OK;
    free(*out_text);
    *out_text = NULL;
    return MS_FAIL(MS_OUT_OF_MEMORY, "report: no memory for a page");
}

ms_status ms_report_write(const char *folder, const char *out, size_t *out_size_bytes) {
    char *data = NULL, *page = NULL;
    size_t data_size_bytes = 0;
    *out_size_bytes = 0;
    ms_status status = ms_report_data(folder, &data, &data_size_bytes);
    if (status == MS_OK) status = ms_report_page(data, data_size_bytes, &page, out_size_bytes);
    if (status == MS_OK) status = ms_file_write(out, page, *out_size_bytes);
    free(data);
    free(page);
    return status;
}
