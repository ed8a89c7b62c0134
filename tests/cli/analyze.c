/* `muonscope analyze`: the checkpoints of tests/golden/analyze line by line against NumPy, and what users do wrong. */
#define _XOPEN_SOURCE 700 /* pseudo-terminals */
#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/directory.h"
#include "platform/file.h"
#include "tests/support/child.h"
#include "tests/support/suite.h"

#define GOLDEN "tests/golden/analyze/"
#define RUN(...) ms_child_run(MS_PROGRAM, (const char *const[]){"analyze", __VA_ARGS__, NULL})

static char path[400];

/* A path in the test's own folder, good until the next call. */
static const char *in_folder(const char *name) {
    snprintf(path, sizeof path, "%s/%s", ms_child_folder, name);
    return path;
}

static void expect_error(const char *part) {
    ck_assert_msg(strstr(ms_child_error, part) != NULL, "no '%s' in: %s", part, ms_child_error);
}

static void expect_line(const char *part) {
    ck_assert_msg(strstr(ms_child_output, part) != NULL, "no '%s' in: %s", part, ms_child_output);
}

/* ---- against NumPy ---- */

static json_t *read_lines(void) {
    json_t *lines = json_array();
    json_error_t error;
    for (const char *at = ms_child_output; *at; at += strcspn(at, "\n") + 1) {
        json_t *line = json_loadb(at, strcspn(at, "\n"), 0, &error);
        ck_assert_msg(line != NULL, "%s", error.text);
        json_array_append_new(lines, line);
    }
    return lines;
}

/* Numbers within 1e-8, relative above 1; what the golden does not have is not looked at. */
static void check_value(const char *of, const char *key, const json_t *actual, const json_t *expected) {
    if (!json_is_real(expected)) {
        ck_assert_msg(json_equal((json_t *)(uintptr_t)actual, (json_t *)(uintptr_t)expected), "%s: %s", of, key);
        return;
    }
    double value = json_number_value(actual), golden = json_real_value(expected);
    ck_assert_msg(json_is_number(actual) && fabs(value - golden) <= 1e-8 * fmax(1, fabs(golden)),
                  "%s: %s is %.17g, golden %.17g", of, key, value, golden);
}

static void check_line(const json_t *actual, const json_t *expected) {
    const char *key, *of = json_string_value(json_object_get(expected, "name"));
    json_t *golden;
    json_object_foreach((json_t *)(uintptr_t)expected, key, golden) {
        const json_t *value = json_object_get(actual, key);
        if (!json_is_array(golden)) {
            check_value(of, key, value, golden);
            continue;
        }
        size_t n = json_array_size(golden);
        ck_assert_msg(json_array_size(value) == n, "%s: %s has %zu numbers, not %zu", of, key, json_array_size(value),
                      n);
        for (size_t i = 0; i < n; i++) check_value(of, key, json_array_get(value, i), json_array_get(golden, i));
    }
}

static bool is_of(const json_t *line, const json_t *golden) {
    static const char *const keys[] = {"name", "projection", "expert"};
    for (size_t i = 0; i < 3; i++) {
        json_t *wanted = json_object_get(golden, keys[i]);
        if (wanted && !json_equal(json_object_get(line, keys[i]), wanted)) return false;
    }
    return true;
}

/* Each line of the golden has one of the output, and the other way round. */
static void check_lines(const json_t *expected) {
    json_t *lines = read_lines();
    ck_assert_uint_eq(json_array_size(lines), json_array_size(expected));
    for (size_t i = 0; i < json_array_size(expected); i++) {
        const json_t *golden = json_array_get(expected, i), *found = NULL;
        for (size_t j = 0; j < json_array_size(lines); j++)
            if (is_of(json_array_get(lines, j), golden)) found = json_array_get(lines, j);
        ck_assert_msg(found != NULL, "no line for %s", json_string_value(json_object_get(golden, "name")));
        check_line(found, golden);
    }
    json_decref(lines);
}

static json_t *read_golden(void) {
    json_error_t error;
    json_t *golden = json_load_file(GOLDEN "expected.json", 0, &error);
    ck_assert_msg(golden != NULL, "%s", error.text);
    return golden;
}

START_TEST(families) {
    json_t *golden = read_golden(), *expected;
    const char *name;
    int n = 0;
    json_object_foreach(json_object_get(golden, "checkpoints"), name, expected) {
        snprintf(path, sizeof path, GOLDEN "%s", name);
        ck_assert_msg(RUN(path, "--format", "jsonl", "--top", "12") == 0, "%s", ms_child_error);
        check_lines(expected);
        n++;
    }
    ck_assert_int_eq(n, 10);
    json_decref(golden);
}
END_TEST

START_TEST(against_another) {
    json_t *golden = read_golden();
    ck_assert_int_eq(RUN(GOLDEN "later", "--against", GOLDEN "llama", "--format", "jsonl", "--top", "12"), 0);
    check_lines(json_object_get(golden, "later_against_llama"));
    expect_error("left out: 1 matrices that the other file has not\n");
    expect_error("left out: 7 matrices that the other file has alone\n");
    ck_assert_int_eq(RUN(GOLDEN "later", "--against", GOLDEN "llama"), 0);
    expect_line("|dW|/|W0|");
    /* No change at all: a distance of 0, and nothing else to say. */
    ck_assert_int_eq(RUN(GOLDEN "phi", "--against", GOLDEN "phi", "--format", "jsonl", "--match", "fc1"), 0);
    expect_line("\"update_norm\":0.0,\"update_ratio\":0.0,\"cosine\":null");
    json_decref(golden);
}
END_TEST

/* Layer 10 stands after layer 2, and a number of threads changes no byte. */
START_TEST(order_and_threads) {
    ck_assert_int_eq(RUN(GOLDEN "llama", "--format", "csv", "--threads", "1"), 0);
    char *one = strdup(ms_child_output);
    ck_assert(strstr(one, "layers.2.") < strstr(one, "layers.10."));
    ck_assert_int_eq(RUN(GOLDEN "llama", "--format", "csv", "--threads", "2"), 0);
    ck_assert_str_eq(ms_child_output, one);
    free(one);
}
END_TEST

static int count(const char *text, char what) {
    int n = 0;
    for (; *text && *text != '\n'; text++) n += *text == what;
    return n;
}

START_TEST(formats) {
    ck_assert_int_eq(RUN(GOLDEN "phi", "--format", "csv", "--top", "3", "--match", "fc"), 0);
    expect_line(",sigma_1,sigma_2,sigma_3,sigma_q1,");
    const char *second = strchr(ms_child_output, '\n') + 1;
    ck_assert_int_eq(count(ms_child_output, ','), count(second, ','));
    ck_assert_int_eq(strncmp(second, "model.layers.0.mlp.fc1.weight,0,up,,40,24,F32,whole,,,", 54), 0);
    expect_error("left out: 4 matrices that --match leaves out\n");
    ck_assert_int_eq(RUN(GOLDEN "phi", "--largest", "1"), 0);
    expect_line("\n40 x 24 ");
    expect_line("Medians over the layers, by projection and shape:");
    ck_assert_ptr_null(strstr(ms_child_output, "self_attn"));
    ck_assert_int_eq(RUN(GOLDEN "gpt2", "--format", "jsonl", "--match", "c_attn.*:k$"), 0);
    expect_line("\"stored\":\"transposed, columns 24-47\"");
    ck_assert_int_eq(RUN(GOLDEN "gpt_neox", "--format", "jsonl", "--match", ":v$"), 0);
    expect_line("\"stored\":\"rows 12-17 of every 18\"");
    ck_assert_int_eq(RUN(GOLDEN "unknown", "--format", "jsonl"), 0);
    expect_line("\"stored\":\"as [8, 75]\"");
    expect_line("\"stored\":\"slice 2\"");
    expect_error("left out: 1 tensors that are no floating-point numbers of 16 to 64 bits, e.g. I32\n");
    expect_error("left out: 1 tensors without elements\n");
}
END_TEST

START_TEST(out_is_written_whole) {
    char *out = strdup(in_folder("lines.csv"));
    ck_assert_int_eq(RUN(GOLDEN "phi", "--format", "csv", "--out", out), 0);
    ck_assert_str_eq(ms_child_output, "");
    char *text;
    size_t size;
    ms_must(ms_file_read(out, &text, &size));
    ck_assert_int_eq(strncmp(text, "name,layer,", 11), 0);
    ck_assert_int_eq(text[size - 1], '\n');
    free(text);
    free(out);
    ck_assert_int_eq(RUN(GOLDEN "phi", "--out", in_folder("absent/lines")), 1);
    expect_error("absent");
}
END_TEST

/* ---- Ctrl-C ---- */

/* Matrices 128 x 128 of zeros, n of them, in a file of holes. */
static void write_many(const char *name, int n) {
    enum { MATRIX_BYTES = 128 * 128 * 4 };
    size_t text_size = (size_t)n * 90 + 2, at = 1;
    char *bytes = calloc(1, 8 + text_size), *text = bytes + 8;
    *text = '{';
    for (int i = 0; i < n; i++)
        at += (size_t)sprintf(text + at, "\"%d\":{\"dtype\":\"F32\",\"shape\":[128,128],\"data_offsets\":[%d,%d]}%c", i,
                              MATRIX_BYTES * i, MATRIX_BYTES * (i + 1), i + 1 < n ? ',' : '}');
    uint64_t header_bytes = at;
    memcpy(bytes, &header_bytes, 8);
    ms_must(ms_file_write(in_folder(name), bytes, 8 + at));
    ck_assert_int_eq(truncate(in_folder(name), (off_t)(8 + at) + (off_t)MATRIX_BYTES * n), 0);
    free(bytes);
}

/* Starts `analyze` with a terminal for its stderr; NULL is the last word. */
static pid_t start_on_terminal(const char *const *words, int *out_terminal) {
    *out_terminal = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(*out_terminal >= 0 && grantpt(*out_terminal) == 0 && unlockpt(*out_terminal) == 0);
    int stderr_of_child = open(ptsname(*out_terminal), O_RDWR | O_NOCTTY);
    ck_assert_int_ge(stderr_of_child, 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(stderr_of_child, STDERR_FILENO);
        execv(MS_PROGRAM, (char *const *)(uintptr_t)words);
        _exit(99);
    }
    close(stderr_of_child);
    return child;
}

/* Reads up to the child's end; the last of it in `out`. */
static void read_to_end(int terminal, char *out, size_t size) {
    size_t n = 0;
    for (ssize_t n_read; (n_read = read(terminal, out + n, size - 1 - n)) > 0;) {
        n += (size_t)n_read;
        if (n < size - 1) continue;
        memmove(out, out + size / 2, n - size / 2);
        n -= size / 2;
    }
    out[n] = '\0';
}

/* 20,000 matrices take the program seconds, and the first line of progress comes after 0.2 s: the signal meets it
   in the middle of them. */
START_TEST(interruption_keeps_what_is_done) {
    char *file = strdup(in_folder("many.safetensors")), *out = strdup(in_folder("out.csv")), first[32], said[1024],
         *text;
    write_many("many.safetensors", 20000);
    const char *const words[] = {MS_PROGRAM, "analyze", file, "--threads", "1", "--format", "csv", "--out", out, NULL};
    int terminal, status, n_lines = 0, n_undone;
    size_t size;
    pid_t child = start_on_terminal(words, &terminal);
    ck_assert_int_gt(read(terminal, first, sizeof first), 0); /* a matrix is done */
    ck_assert_int_eq(kill(child, SIGINT), 0);
    read_to_end(terminal, said, sizeof said);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    close(terminal);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 128 + SIGINT);
    ms_must(ms_file_read(out, &text, &size));
    for (size_t i = 0; i < size; i++) n_lines += text[i] == '\n';
    ck_assert_int_eq(strncmp(text, "name,layer,", 11), 0);
    const char *line = strstr(said, "muonscope: ");
    ck_assert_msg(line && sscanf(line, "muonscope: %d of 20000 matrices are not done (", &n_undone) == 1, "%s", said);
    ck_assert_int_eq(n_lines - 1, 20000 - n_undone);
    ck_assert(n_undone > 0 && n_undone < 20000);
    ck_assert_msg(strstr(line, "out.csv has the others): SIGINT: the analysis was stopped"), "%s", line);
    free(text);
    free(file);
    free(out);
}
END_TEST

/* ---- refusals ---- */

static void write_file(const char *name, const void *data, size_t size) {
    ms_must(ms_file_write(in_folder(name), data, size));
}

static void write_text(const char *name, const char *text) { write_file(name, text, strlen(text)); }

/* A safetensors file of this header and n_data bytes of `fill`. */
static void write_tensors(const char *name, const char *header, size_t n_data, int fill) {
    char bytes[1024];
    uint64_t n = strlen(header);
    ck_assert_uint_le(8 + n + n_data, sizeof bytes);
    memcpy(bytes, &n, 8);
    memcpy(bytes + 8, header, n);
    memset(bytes + 8 + n, fill, n_data);
    write_file(name, bytes, 8 + n + n_data);
}

/* Headers whose length begins with the bytes of a zip or of a pickle. */
START_TEST(no_length_of_a_header_is_a_format) {
    static const char tensor[] = "{\"x\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}";
    static const uint64_t lengths[] = {0x0280, 0x4b50};
    for (int i = 0; i < 2; i++) {
        uint64_t n = lengths[i];
        char *bytes = calloc(1, 8 + n + 16);
        memcpy(bytes, &n, 8);
        memset(bytes + 8, ' ', n);
        memcpy(bytes + 8, tensor, sizeof tensor - 1);
        write_file("padded.safetensors", bytes, 8 + n + 16);
        free(bytes);
        ck_assert_msg(RUN(in_folder("padded.safetensors")) == 0, "%s", ms_child_error);
    }
}
END_TEST

START_TEST(other_formats_are_refused) {
    write_text("pytorch_model.bin", "PK\3\4....");
    ck_assert_int_eq(RUN(in_folder("pytorch_model.bin")), 1);
    expect_error("is PyTorch's, not a safetensors file.  Convert it: python3 -c 'import sys, torch, safetensors.torch");
    snprintf(path, sizeof path, "%s/pytorch_model.bin %s/pytorch_model.safetensors\n", ms_child_folder,
             ms_child_folder);
    expect_error(path);
    ck_assert_int_eq(RUN(ms_child_folder), 1); /* the folder has nothing else */
    expect_error("is PyTorch's");
    write_text("old.pt", "\x80\x02....");
    ck_assert_int_eq(RUN(in_folder("old.pt")), 1);
    expect_error("is PyTorch's");
    write_text("a.gguf", "GGUF\3...");
    ck_assert_int_eq(RUN(in_folder("a.gguf")), 1);
    expect_error("is a GGUF file: only safetensors files are read");
    write_text("named_otherwise", "GGUF\3...");
    ck_assert_int_eq(RUN(in_folder("named_otherwise")), 1);
    expect_error("is a GGUF file");
    write_text("a.npz", "PK\3\4....");
    ck_assert_int_eq(RUN(in_folder("a.npz")), 1);
    expect_error("is a NumPy archive");
    write_text("a.safetensors", "no such thing");
    ck_assert_int_eq(RUN(in_folder("a.safetensors")), 1);
    expect_error("truncated or not safetensors");
}
END_TEST

START_TEST(folders) {
    ck_assert_int_eq(RUN(in_folder("absent")), 1);
    expect_error("absent");
    ck_assert_int_eq(RUN(ms_child_folder), 1);
    expect_error("has no safetensors file");
    write_tensors("a.safetensors", "{\"x\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 16, 0);
    ck_assert_int_eq(RUN(ms_child_folder), 0);
    write_tensors("b.safetensors", "{\"x\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 16, 0);
    ck_assert_int_eq(RUN(ms_child_folder), 1);
    expect_error("has 2 safetensors files and no index, among them b.safetensors: name the one to read");
    ck_assert_int_eq(RUN(GOLDEN "llama/model.safetensors.index.json"), 0);
}
END_TEST

/* A shard is a file in the folder; what the other shards have is shown. */
START_TEST(shards) {
    static const char *const names[] = {"../a.safetensors", "/etc/passwd", "sub/a.safetensors", "..", ""};
    char text[512];
    write_tensors("a.safetensors", "{\"x\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 16, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(text, sizeof text, "{\"weight_map\":{\"x\":\"%s\"}}", names[i]);
        write_text("model.safetensors.index.json", text);
        ck_assert_int_eq(RUN(ms_child_folder), 1);
        snprintf(text, sizeof text, "the shard of tensor x is '%s': it must be a file in the same folder", names[i]);
        expect_error(text);
    }
    write_text("model.safetensors.index.json",
               "{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"b.safetensors\",\"z\":\"a.safetensors\"}}");
    ck_assert_int_eq(RUN(ms_child_folder, "--format", "jsonl"), 1);
    ck_assert_int_eq(RUN(ms_child_folder), 1);
    expect_line("  b.safetensors");
    ck_assert_int_eq(RUN(ms_child_folder, "--format", "jsonl"), 1);
    expect_line("{\"name\":\"x\",\"layer\":null,");
    expect_line("{\"name\":\"b.safetensors\",\"error\":\"cannot open");
    expect_line("{\"name\":\"z\",\"error\":\"the index says that a.safetensors has it, and it has not\"}");
    expect_error("2 of 3 could not be analyzed, the first of them b.safetensors: ");
    write_text("model.safetensors.index.json", "{\"weight_map\":{\"y\":\"b.safetensors\"}}");
    ck_assert_int_eq(RUN(ms_child_folder), 1);
    expect_error("none of its 1 shards can be read");
    write_text("model.safetensors.index.json", "{\"weight_map\":");
    ck_assert_int_eq(RUN(ms_child_folder), 1);
    expect_error("model.safetensors.index.json: line 1: ");
    write_text("model.safetensors.index.json", "{}");
    ck_assert_int_eq(RUN(ms_child_folder), 1);
    expect_error("it has no weight_map");
}
END_TEST

/* One bad tensor is a line; the others have their figures. */
START_TEST(bad_numbers) {
    write_tensors("a.safetensors",
                  "{\"good\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
                  "\"bad\":{\"dtype\":\"F64\",\"shape\":[2,2],\"data_offsets\":[16,48]}}",
                  48, 0xff);
    ms_map map; /* all is NaN; the first tensor becomes zero */
    ms_must(ms_map_open(in_folder("a.safetensors"), &map));
    char bytes[512];
    size_t size = map.size_bytes;
    memcpy(bytes, map.data, size);
    ms_map_close(&map);
    memset(bytes + size - 48, 0, 16);
    write_file("a.safetensors", bytes, size);
    ck_assert_int_eq(RUN(in_folder("a.safetensors"), "--format", "jsonl"), 1);
    expect_line(
        "\"name\":\"bad\",\"layer\":null,\"projection\":null,\"expert\":null,\"rows\":2,\"cols\":2,\"dtype\":"
        "\"F64\",\"stored\":\"whole\",\"note\":null,\"error\":\"spectrum of bad [2, 2]: element (0, 0) is -nan\"}");
    expect_line("\"sigma_max\":0.0");
    expect_line("\"stable_rank\":null");
    expect_error("1 of 2 could not be analyzed, the first of them bad: spectrum of bad [2, 2]: element (0, 0) is");
    ck_assert_int_eq(RUN(in_folder("a.safetensors")), 1);
    expect_line("  spectrum of bad [2, 2]: element (0, 0) is");
    ck_assert_int_eq(RUN(in_folder("a.safetensors"), "--format", "csv"), 1);
    const char *second = strchr(ms_child_output, '\n') + 1;
    ck_assert_int_eq(count(ms_child_output, ','), count(second, ',') - 2); /* two in its error, in quotes */
}
END_TEST

START_TEST(bad_files_and_words) {
    ck_assert_int_eq(RUN(GOLDEN "phi", "--threads", "4294967296"), 2); /* 0 in 32 bits */
    expect_error("--threads: 4294967296, must be at most 1024");
    write_tensors("a.safetensors",
                  "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},"
                  "\"y\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}",
                  12, 0);
    ck_assert_int_eq(RUN(in_folder("a.safetensors")), 1);
    expect_error("tensor y begins at byte 4, the tensors before it end at 8");
    write_tensors("a.safetensors", "{\"x\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 8, 0);
    ck_assert_int_eq(RUN(in_folder("a.safetensors")), 1);
    expect_error("truncated: tensor x ends at byte 16 of 8");
    uint64_t header_bytes = 100000001;
    write_file("huge", &header_bytes, sizeof header_bytes);
    ck_assert_int_eq(truncate(in_folder("huge"), 200000000), 0);
    ck_assert_int_eq(RUN(in_folder("huge")), 1);
    expect_error("a header of 100000001 bytes is above the format's 100000000");
    write_tensors("vector", "{\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, 0);
    ck_assert_int_eq(RUN(in_folder("vector")), 1);
    expect_error("there is no matrix among 1 tensors: 1 have fewer than two dimensions");
    ck_assert_int_eq(RUN(GOLDEN "phi", "--match", "("), 2);
    expect_error("--match: '(' is no regular expression: ");
    ck_assert_int_eq(RUN(GOLDEN "phi", "--match", "nothing"), 1);
    expect_error("--match: none of the 6 matrices has such a name");
    ck_assert_int_eq(RUN(GOLDEN "phi", "--format", "xml"), 2);
    expect_error("--format: 'xml' is none of table, jsonl, csv");
    ck_assert_int_eq(RUN(GOLDEN "phi", "--against", GOLDEN "gpt2"), 1);
    expect_error("--against: none of the 6 matrices is in the other file under the same name");
    ck_assert_int_eq(RUN(GOLDEN "gpt2", "--against", GOLDEN "unknown", "--match", "q"), 1);
}
END_TEST

/* Sizes that do not fit, or are none, leave a fused matrix whole, and say so. */
START_TEST(bad_config) {
    static const struct {
        const char *config, *line;
        int exit_status;
    } cases[] = {
        {"{\"num_attention_heads\":5}", "\"note\":\"not split: 12 rows are not 3 of each of 5 heads\"", 0},
        {"{\"num_attention_heads\":2,\"model_type\":\"falcon\"}",
         "\"note\":\"not split: the order of rows in models of type falcon is not known\"", 0},
        {"{}", "\"note\":\"not split: config.json does not say num_attention_heads\"", 0},
        {"{\"num_attention_heads\":2}", "\"stored\":\"rows 2-3 of every 6\"", 0},
        {"{\"num_attention_heads\":2,\"qk_rope_head_dim\":0}", "\"stored\":\"rows 2-3 of every 6\"",
         0}, /* nobody asks */
        {"{\"num_attention_heads\":-2}", "num_attention_heads is not a whole number of 1 to 16777216\"}", 1},
        {"[]", "config.json: not a JSON object\"}", 1},
        {"{", "{\"name\":\"config.json\",\"error\":\"", 1},
    };
    write_tensors(
        "a.safetensors",
        "{\"h.0.attention.query_key_value.weight\":{\"dtype\":\"F16\",\"shape\":[12,2],\"data_offsets\":[0,48]}}", 48,
        0x11);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_text("config.json", cases[i].config);
        ck_assert_int_eq(RUN(in_folder("a.safetensors"), "--format", "jsonl"), cases[i].exit_status);
        expect_line(cases[i].line);
    }
}
END_TEST

/* Rows of q, k and v that only config.json can tell from those of heads in turn. */
START_TEST(fused_rows) {
    static const struct {
        const char *name, *config, *line; /* config NULL: none */
    } cases[] = {
        {"attn.c_attn", NULL, "\"note\":\"not split: no config.json says num_attention_heads and hidden_size\""},
        {"self_attn.qkv_proj", NULL, "\"stored\":\"whole\",\"note\":\"not split: no config.json"},
        {"mixer.Wqkv", "{}", "\"note\":\"not split: config.json does not say num_attention_heads and hidden_size\""},
        {"attn.c_attn", "{\"n_embd\":4,\"n_head\":2}", "\"stored\":\"rows 4-7\""},
        {"attn.c_attn", "{\"n_embd\":4,\"n_head\":2,\"model_type\":\"gpt_bigcode\",\"multi_query\":false}",
         "\"projection\":\"k\",\"expert\":null,\"rows\":4,\"cols\":4,\"dtype\":\"F16\",\"stored\":\"rows 2-3 of every "
         "6\""},
        {"attn.c_attn",
         "{\"n_embd\":4,\"n_head\":2,\"model_type\":\"gpt_bigcode\"}", /* one key, where it is not said */
         "\"note\":\"not split: 12 outputs are not 4 of q and twice 2 of k and v\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[160];
        snprintf(header, sizeof header,
                 "{\"h.0.%s.weight\":{\"dtype\":\"F16\",\"shape\":[12,4],\"data_offsets\":[0,96]}}", cases[i].name);
        write_tensors("a.safetensors", header, 96, 0x11);
        unlink(in_folder("config.json"));
        if (cases[i].config) write_text("config.json", cases[i].config);
        ck_assert_int_eq(RUN(in_folder("a.safetensors"), "--format", "jsonl"), 0);
        expect_line(cases[i].line);
    }
}
END_TEST

/* A run of muonscope: its newest checkpoint, with the rows of q, k, v and o apart. */
START_TEST(runs) {
    char *run = strdup(in_folder("run")), older[400];
    ck_assert_int_eq(ms_child_run(MS_PROGRAM, (const char *const[]){"train", "--preset", "micro", "--steps", "2",
                                                                    "--checkpoint.every", "1", "--run", run, NULL}),
                     0);
    snprintf(older, sizeof older, "%s/checkpoints/step_00000001", run);
    ck_assert_msg(RUN(run, "--format", "jsonl", "--against", older) == 0, "%s", ms_child_error);
    expect_line("{\"name\":\"blocks.0.attention.qkvo.weight\",\"layer\":0,\"projection\":\"q\",");
    expect_line("\"projection\":\"o\",\"expert\":null,");
    expect_line("\"projection\":\"embedding\"");
    char *newest = strdup(ms_child_output);
    snprintf(path, sizeof path, "%s/checkpoints", run);
    ck_assert_int_eq(RUN(path, "--format", "jsonl", "--against", older), 0);
    ck_assert_str_eq(ms_child_output, newest);
    snprintf(path, sizeof path, "%s/checkpoints/step_00000002", run);
    ck_assert_int_eq(RUN(path, "--format", "jsonl", "--against", older), 0);
    ck_assert_str_eq(ms_child_output, newest);
    free(newest);
    free(run);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("analyze");
    TCase *tests = tcase_create("analyze");
    tcase_add_checked_fixture(tests, ms_child_setup, ms_child_teardown);
    tcase_add_test(tests, families);
    tcase_add_test(tests, against_another);
    tcase_add_test(tests, order_and_threads);
    tcase_add_test(tests, formats);
    tcase_add_test(tests, out_is_written_whole);
    tcase_add_test(tests, interruption_keeps_what_is_done);
    tcase_add_test(tests, no_length_of_a_header_is_a_format);
    tcase_add_test(tests, other_formats_are_refused);
    tcase_add_test(tests, folders);
    tcase_add_test(tests, shards);
    tcase_add_test(tests, bad_numbers);
    tcase_add_test(tests, bad_files_and_words);
    tcase_add_test(tests, bad_config);
    tcase_add_test(tests, fused_rows);
    tcase_add_test(tests, runs);
    suite_add_tcase(suite, tests);
    return ms_suite_run(suite);
}
