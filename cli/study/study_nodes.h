/* Nodes of a study file, read with the line in every message.  Internal to cli/study.  Thread-safe on distinct
   objects. */
#ifndef MS_CLI_STUDY_STUDY_NODES_H
#define MS_CLI_STUDY_STUDY_NODES_H

#include "cli/config/yaml_text.h"
#include "cli/study/study.h"

/* What is read; borrowed. */
typedef struct ms_study_reader {
    const char *name; /* of the file */
    yaml_document_t *document;
} ms_study_reader;

/* A node and its line, for messages: "muon.yaml:12". */
#define MS_STUDY_FAIL(reader, node, format, ...)                                                                       \
    MS_FAIL(MS_INVALID, "%s:%zu: " format, (reader)->name, (node)->start_mark.line + 1, __VA_ARGS__)

/* One key that a mapping may have, and who reads its value. */
typedef struct ms_study_field {
    const char *name; /* NULL after the last */
    ms_status (*read)(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target);
    size_t offset; /* of what it reads in the target of the mapping */
} ms_study_field;

/* Readers of fields: of a text of MS_STUDY_TEXT_SIZE, a name, a bool, a double; and one that keeps the node (a const
   yaml_node_t *). */
ms_status ms_study_field_text(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target);
ms_status ms_study_field_name(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target);
ms_status ms_study_field_bool(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target);
ms_status ms_study_field_number(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target);
ms_status ms_study_field_node(ms_study_reader *reader, const char *name, const yaml_node_t *value, void *target);

/* Reads a mapping by its fields.  `what` names it in messages: "a tuning".  MS_INVALID: no mapping, a key that is none
   of them (the nearest is named) or is there twice; errors of the fields. */
ms_status ms_study_read_fields(ms_study_reader *reader, const yaml_node_t *node, const char *what,
                               const ms_study_field *fields, void *target);

/* Calls `read` for each pair of a mapping, in order, with the key as text.  MS_INVALID: no mapping, a key that is no
   name or is there twice; errors of `read`. */
ms_status ms_study_read_pairs(ms_study_reader *reader, const yaml_node_t *node, const char *what,
                              ms_status (*read)(ms_study_reader *reader, const yaml_node_t *key,
                                                const yaml_node_t *value, void *target),
                              void *target);

/* The text of a scalar.  MS_INVALID: it is none, is empty, holds a NUL, or has `size` bytes or more. */
ms_status ms_study_read_text(ms_study_reader *reader, const yaml_node_t *node, const char *what, char *out,
                             size_t size);
/* A name: letters, digits, '_' and '.'. */
ms_status ms_study_read_name(ms_study_reader *reader, const yaml_node_t *node, const char *what,
                             char out[MS_STUDY_NAME_SIZE]);
ms_status ms_study_read_bool(ms_study_reader *reader, const yaml_node_t *node, const char *what, bool *out);
ms_status ms_study_read_number(ms_study_reader *reader, const yaml_node_t *node, const char *what, double *out);
/* "3", "1-8", or a list of these: 1 to MS_STUDY_SEEDS numbers, none twice. */
ms_status ms_study_read_seeds(ms_study_reader *reader, const yaml_node_t *node, ms_study_seeds *out);
/* Keys of the configuration: {muon.lr: 0.02} or {muon: {lr: 0.02}}, added to those of `out`.  MS_INVALID: unknown keys
   and wrong values, as a configuration file has them; a key that is there already; train.seed. */
ms_status ms_study_read_settings(ms_study_reader *reader, const yaml_node_t *node, ms_study_settings *out);
/* One of them by its name and value. */
ms_status ms_study_read_setting(ms_study_reader *reader, const char *full_name, const yaml_node_t *value,
                                ms_study_settings *out);

/* Items of a list; a scalar is a list of one. */
size_t ms_study_n_items(const yaml_node_t *node);
const yaml_node_t *ms_study_item(const ms_study_reader *reader, const yaml_node_t *node, size_t i);
/* The text of a scalar, or "". */
const char *ms_study_scalar(const yaml_node_t *node);

#endif
