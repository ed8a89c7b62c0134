#include "cli/config/yaml_text.h"

#include <stdbool.h>

enum { MAX_DEPTH = 16 };

static ms_status fail_syntax(const char *name, const yaml_parser_t *parser) {
    return MS_FAIL(parser->error == YAML_MEMORY_ERROR ? MS_OUT_OF_MEMORY : MS_INVALID, "%s:%zu: not valid YAML: %s",
                   name, parser->problem_mark.line + 1, parser->problem ? parser->problem : "unreadable");
}

/* libyaml takes time with the square of the depth of nesting: what is deeper than a configuration can be is refused
   before the document is built, when the parser gets there. */
static ms_status check_depth(const char *name, const char *text, size_t size_bytes) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for the YAML parser", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size_bytes);
    ms_status status = MS_OK;
    int depth = 0;
    for (bool ended = false; status == MS_OK && !ended;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            status = fail_syntax(name, &parser);
            break;
        }
        depth += event.type == YAML_MAPPING_START_EVENT || event.type == YAML_SEQUENCE_START_EVENT;
        depth -= event.type == YAML_MAPPING_END_EVENT || event.type == YAML_SEQUENCE_END_EVENT;
        if (depth > MAX_DEPTH)
            status = MS_FAIL(MS_INVALID, "%s:%zu: nested deeper than %d; sections and keys are expected", name,
                             event.start_mark.line + 1, MAX_DEPTH);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return status;
}

/* What follows the first document: nothing may. */
static ms_status check_end(const char *name, yaml_parser_t *parser) {
    yaml_document_t document;
    if (!yaml_parser_load(parser, &document)) return fail_syntax(name, parser);
    const yaml_node_t *second = yaml_document_get_root_node(&document);
    ms_status status = MS_OK;
    if (second)
        status = MS_FAIL(MS_INVALID, "%s:%zu: a second YAML document, one expected", name, second->start_mark.line + 1);
    yaml_document_delete(&document);
    return status;
}

ms_status ms_yaml_load(const char *name, const char *text, size_t size_bytes, yaml_document_t *out) {
    MS_TRY(check_depth(name, text, size_bytes));
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) return MS_FAIL(MS_OUT_OF_MEMORY, "%s: no memory for the YAML parser", name);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size_bytes);
    if (!yaml_parser_load(&parser, out)) {
        ms_status status = fail_syntax(name, &parser);
        yaml_parser_delete(&parser);
        return status;
    }
    ms_status status = yaml_document_get_root_node(out) ? check_end(name, &parser) : MS_OK;
    yaml_parser_delete(&parser);
    if (status != MS_OK) yaml_document_delete(out);
    return status;
}
