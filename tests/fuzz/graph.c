/* The text of a graph: what is accepted is the same text after it was printed and read again, and can be lowered
   and simplified. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/ir/passes.h"
#include "tests/fuzz/fuzz.h"

/* The graph's text, malloc'ed. */
static char *print(const ms_graph *graph) {
    char *text;
    size_t size_bytes;
    FILE *stream = open_memstream(&text, &size_bytes);
    MS_FUZZ_CLAIM(stream && ms_graph_print(graph, stream) == MS_OK && fclose(stream) == 0);
    return text;
}

static void check_again(const ms_graph *graph) {
    char *text = print(graph);
    ms_variables *variables;
    ms_graph *again;
    MS_FUZZ_CLAIM(ms_graph_parse(text, &variables, &again) == MS_OK);
    char *other = print(again);
    MS_FUZZ_CLAIM(strcmp(text, other) == 0);
    free(other);
    free(text);
    ms_graph_destroy(again);
    ms_variables_destroy(variables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes) {
    char *text = malloc(size_bytes + 1);
    MS_FUZZ_CLAIM(text);
    if (size_bytes > 0) memcpy(text, data, size_bytes);
    text[size_bytes] = '\0';
    ms_variables *variables;
    ms_graph *graph, *finished;
    ms_status status = ms_graph_parse(text, &variables, &graph);
    free(text);
    if (status != MS_OK) {
        ms_fuzz_refused(status);
        return 0;
    }
    check_again(graph);
    (void)ms_graph_cost(graph);
    status = ms_graph_finish(graph, &finished);
    if (status == MS_OK) {
        check_again(finished);
        ms_graph_destroy(finished);
    } else {
        ms_fuzz_refused(status);
    }
    ms_graph_destroy(graph);
    ms_variables_destroy(variables);
    return 0;
}
