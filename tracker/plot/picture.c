#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include "tracker/plot/picture.h"

#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/process.h"
#include "platform/signals.h"
#include "platform/temporary.h"

enum { PATH_SIZE = 4096, TERMINAL_SIZE = 256 };

/* What a picture is, once it is written. */
struct drawing {
    const char *name;
    ms_page page;
    ms_page_style style;
    char *script, *table;
    size_t script_size, table_size;
};

static ms_status make_path(const char *folder, const char *name, const char *ending, char *out) {
    int length = snprintf(out, PATH_SIZE, "%s/%s%s", folder, name, ending);
    if (length >= PATH_SIZE)
        return MS_FAIL(MS_INVALID, "plot %s: the folder's name has %zu bytes", name, strlen(folder));
    return MS_OK;
}

/* --- gnuplot's terminals --- */

static const double screen_dpi = 96, paper_dpi = 300;

/* Text and lines of all three are as large as those of a PNG for the screen, or scaled down to a page for paper. */
static void png_terminal(const struct drawing *drawing, char *out) {
    double scale = ms_page_scale(drawing->style) * (drawing->style.width_mm > 0 ? paper_dpi / screen_dpi : 1);
    snprintf(out, TERMINAL_SIZE,
             "pngcairo background rgb 'white' size %.0f,%.0f font 'sans,16' fontscale %.4g linewidth %.4g pointscale "
             "%.4g",
             drawing->page.width * scale, drawing->page.height * scale, scale, scale, scale);
}

/* Its size on paper is written by set_svg_size. */
static void svg_terminal(const struct drawing *drawing, char *out) {
    snprintf(out, TERMINAL_SIZE, "svg background rgb 'white' size %d,%d font 'sans-serif,16' fontscale 1.33",
             drawing->page.width, drawing->page.height);
}

static void pdf_terminal(const struct drawing *drawing, char *out) {
    double scale = ms_page_scale(drawing->style);
    snprintf(out, TERMINAL_SIZE,
             "pdfcairo background rgb 'white' size %.3fin,%.3fin font 'sans,16' fontscale %.4g linewidth %.4g "
             "pointscale %.4g dashlength 2",
             drawing->page.width * scale / screen_dpi, drawing->page.height * scale / screen_dpi, 0.74 * scale,
             1.3 * scale, scale);
}

/* One format of pictures. */
struct format {
    unsigned bit;
    const char *ending;
    void (*terminal)(const struct drawing *drawing, char *out); /* TERMINAL_SIZE */
};

/* --- files --- */

static ms_status write_script(const struct drawing *drawing, const char *path) {
    ms_writer writer;
    char terminal[TERMINAL_SIZE];
    MS_TRY(ms_writer_open(path, &writer));
    png_terminal(drawing, terminal);
    ms_status status = ms_writer_printf(
        &writer,
        "# Redraw: gnuplot -e \"set terminal %s; set output '%s.png'\" %s.gp\n"
        "set encoding utf8\nset datafile missing 'NaN'\nset termoption noenhanced\n"
        "set grid lt 1 lc rgb '#dddddd' lw 0.8\nset border lc rgb '#404040'\nset tics textcolor rgb 'black'\n",
        terminal, drawing->name, drawing->name);
    if (status == MS_OK) status = ms_writer_write(&writer, drawing->script, drawing->script_size);
    if (status != MS_OK) {
        ms_writer_abort(&writer);
        return status;
    }
    return ms_writer_commit(&writer);
}

/* gnuplot writes pixels; a page for paper is as wide as was asked for, whatever shows it. */
static ms_status set_svg_size(const struct drawing *drawing, const char *path) {
    char *text, old[64], new[96];
    size_t size_bytes;
    int width = drawing->page.width, height = drawing->page.height;
    MS_TRY(ms_file_read(path, &text, &size_bytes));
    snprintf(old, sizeof old, "width=\"%d\" height=\"%d\"", width, height);
    snprintf(new, sizeof new, "width=\"%.2fmm\" height=\"%.2fmm\"", drawing->style.width_mm,
             drawing->style.width_mm * height / width);
    char *at = strstr(text, old);
    ms_writer writer = {0};
    ms_status status =
        at ? ms_writer_open(path, &writer) : MS_FAIL(MS_IO, "plot %s: gnuplot's SVG has no %s", drawing->name, old);
    if (status == MS_OK) status = ms_writer_write(&writer, text, (size_t)(at - text));
    if (status == MS_OK) status = ms_writer_write(&writer, new, strlen(new));
    if (status == MS_OK) {
        at += strlen(old);
        status = ms_writer_write(&writer, at, size_bytes - (size_t)(at - text));
    }
    free(text);
    if (status == MS_OK) return ms_writer_commit(&writer);
    ms_writer_abort(&writer);
    return status;
}

/* gnuplot's first line that says something, without the caret lines that point into the script. */
static const char *first_message(char *text) {
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (line[strspn(line, " \t^")] != '\0') return line;
    return "no message";
}

/* Runs the script in the open folder `work`, whose parent has the script.  gnuplot interprets what it is given, names
   of files too: it gets names of ours alone.  -d: no start-up files, which may hold any command. */
static ms_status run_gnuplot(const struct drawing *drawing, int work, const struct format *format) {
    char script[PATH_SIZE], commands[512], terminal[TERMINAL_SIZE];
    format->terminal(drawing, terminal);
    snprintf(script, sizeof script, "../%s.gp", drawing->name);
    snprintf(commands, sizeof commands, "set terminal %s; set output '%s%s'", terminal, drawing->name, format->ending);
    const char *argv[] = {"gnuplot", "-d", "-e", commands, script, NULL};
    char *text, how[128];
    int exit_status;
    MS_TRY_NOTE(ms_process_run(argv, work, &text, &exit_status), "plot %s", drawing->name);
    ms_status status = ms_signals_check("plot"); /* which gnuplot got too, from a terminal */
    if (status == MS_OK && exit_status != 0)
        status = MS_FAIL(MS_IO, "plot %s: gnuplot %s: %s", drawing->name,
                         ms_process_ending(exit_status, how, sizeof how), first_message(text));
    free(text);
    return status;
}

/* The picture is renamed when it is complete. */
static ms_status render(const struct drawing *drawing, const char *folder, const struct format *format) {
    char path[PATH_SIZE], drawn[PATH_SIZE + 512];
    char *work_path;
    int work;
    MS_TRY(make_path(folder, drawing->name, format->ending, path));
    MS_TRY_NOTE(ms_temporary_directory(path, &work, &work_path), "plot %s", drawing->name);
    snprintf(drawn, sizeof drawn, "%s/%s%s", work_path, drawing->name, format->ending);
    ms_status status = run_gnuplot(drawing, work, format);
    if (status == MS_OK && format->bit == MS_PLOT_SVG && drawing->style.width_mm > 0)
        status = set_svg_size(drawing, drawn);
    if (status == MS_OK) status = ms_rename(drawn, path);
    status = ms_directory_clear_away(status, work_path);
    ms_descriptor_close(work);
    free(work_path);
    return status;
}

static ms_status write_page(const ms_picture *picture, struct drawing *drawing) {
    FILE *script = open_memstream(&drawing->script, &drawing->script_size);
    FILE *table = open_memstream(&drawing->table, &drawing->table_size);
    bool failed = !script || !table;
    if (!failed) {
        drawing->page = ms_page_make(drawing->style, script, table);
        picture->write(&drawing->page, picture->context);
    }
    if (script && fclose(script) != 0) failed = true;
    if (table && fclose(table) != 0) failed = true;
    return failed ? MS_FAIL(MS_OUT_OF_MEMORY, "plot %s: no memory for its script", picture->name) : MS_OK;
}

static ms_status write_files(const struct drawing *drawing, unsigned formats, const char *folder) {
    static const struct format table[] = {
        {MS_PLOT_PNG, ".png", png_terminal}, {MS_PLOT_SVG, ".svg", svg_terminal}, {MS_PLOT_PDF, ".pdf", pdf_terminal}};
    char path[PATH_SIZE];
    MS_TRY(make_path(folder, drawing->name, ".gp", path));
    MS_TRY(write_script(drawing, path));
    MS_TRY(make_path(folder, drawing->name, ".csv", path));
    if (drawing->table_size > 0) MS_TRY(ms_file_write(path, drawing->table, drawing->table_size));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (formats & table[i].bit) MS_TRY(render(drawing, folder, &table[i]));
    return MS_OK;
}

ms_status ms_picture_draw(const ms_picture *picture, const ms_picture_options *options, const char *folder) {
    struct drawing drawing = {.name = picture->name, .style = options->style};
    ms_status status = write_page(picture, &drawing);
    if (status == MS_OK) status = write_files(&drawing, options->formats, folder);
    free(drawing.script);
    free(drawing.table);
    return status;
}
