#include "tracker/plot/picture.h"

#include <stdlib.h>
#include <string.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "platform/process.h"
#include "platform/signals.h"
#include "platform/temporary.h"

enum { PATH_SIZE = 4096 };

static ms_status make_path(const char *folder, const char *name, const char *ending, char *out) {
    int length = snprintf(out, PATH_SIZE, "%s/%s%s", folder, name, ending);
    if (length >= PATH_SIZE)
        return MS_FAIL(MS_INVALID, "plot %s: the folder's name has %zu bytes", name, strlen(folder));
    return MS_OK;
}

static ms_status write_script(const ms_picture *picture, const char *path) {
    ms_writer writer;
    MS_TRY(ms_writer_open(path, &writer));
    ms_status status = ms_writer_printf(
        &writer,
        "# Redraw: gnuplot -e \"set terminal pngcairo size %d,%d font 'sans,16'; set output '%s.png'\" %s.gp\n"
        "set encoding utf8\nset datafile missing 'NaN'\nset termoption noenhanced\n"
        "set grid lt 1 lc rgb '#dddddd' lw 0.8\nset border lc rgb '#404040'\nset tics textcolor rgb 'black'\n",
        picture->width, picture->height, picture->name, picture->name);
    if (status != MS_OK) {
        ms_writer_abort(&writer);
        return status;
    }
    picture->write(writer.stream, picture->context);
    if (ferror(writer.stream)) {
        ms_writer_abort(&writer);
        return MS_FAIL(MS_IO, "write %s: disk full or unwritable", path);
    }
    return ms_writer_commit(&writer);
}

/* gnuplot's first line that says something, without the caret lines that point into the script. */
static const char *first_message(char *text) {
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        if (line[strspn(line, " \t^")] != '\0') return line;
    return "no message";
}

/* One format of pictures. */
struct format {
    unsigned bit;
    const char *ending;
    const char *terminal;   /* gnuplot's, with its options */
    double pixels_per_inch; /* 0: sizes are pixels */
};

/* Runs the script in the open folder `work`, whose parent has the script.  gnuplot interprets what it is given, names
   of files too: it gets names of ours alone.  -d: no start-up files, which may hold any command. */
static ms_status run_gnuplot(const char *name, int work, const struct format *format, const int size[2]) {
    char script[PATH_SIZE], commands[512], size_text[64];
    double unit = format->pixels_per_inch;
    snprintf(script, sizeof script, "../%s.gp", name);
    snprintf(size_text, sizeof size_text, unit > 0 ? "%.3fin,%.3fin" : "%.0f,%.0f", unit > 0 ? size[0] / unit : size[0],
             unit > 0 ? size[1] / unit : size[1]);
    snprintf(commands, sizeof commands, "set terminal %s size %s font 'sans,16'; set output '%s%s'", format->terminal,
             size_text, name, format->ending);
    const char *argv[] = {"gnuplot", "-d", "-e", commands, script, NULL};
    char *text, how[128];
    int exit_status;
    MS_TRY_NOTE(ms_process_run(argv, work, &text, &exit_status), "plot %s", name);
    ms_status status = ms_signals_check("plot"); /* which gnuplot got too, from a terminal */
    if (status == MS_OK && exit_status != 0)
        status = MS_FAIL(MS_IO, "plot %s: gnuplot %s: %s", name, ms_process_ending(exit_status, how, sizeof how),
                         first_message(text));
    free(text);
    return status;
}

/* The picture is renamed when it is complete. */
static ms_status render(const char *name, const char *folder, const struct format *format, const int size[2]) {
    char path[PATH_SIZE], drawn[PATH_SIZE + 512];
    char *work_path;
    int work;
    MS_TRY(make_path(folder, name, format->ending, path));
    MS_TRY_NOTE(ms_temporary_directory(path, &work, &work_path), "plot %s", name);
    ms_status status = run_gnuplot(name, work, format, size);
    if (status == MS_OK) {
        snprintf(drawn, sizeof drawn, "%s/%s%s", work_path, name, format->ending);
        status = ms_rename(drawn, path);
    }
    status = ms_directory_clear_away(status, work_path);
    ms_descriptor_close(work);
    free(work_path);
    return status;
}

ms_status ms_picture_draw(const ms_picture *picture, unsigned formats, const char *folder) {
    /* Scales that make text and lines of all three as large as those of the PNG. */
    static const struct format table[] = {
        {MS_PLOT_PNG, ".png", "pngcairo background rgb 'white'", 0},
        {MS_PLOT_SVG, ".svg", "svg background rgb 'white' fontscale 1.33", 0},
        {MS_PLOT_PDF, ".pdf", "pdfcairo background rgb 'white' fontscale 0.74 linewidth 1.3 dashlength 2", 96}};
    char script[PATH_SIZE];
    const int size[2] = {picture->width, picture->height};
    MS_TRY(make_path(folder, picture->name, ".gp", script));
    MS_TRY(write_script(picture, script));
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (formats & table[i].bit) MS_TRY(render(picture->name, folder, &table[i], size));
    return MS_OK;
}
