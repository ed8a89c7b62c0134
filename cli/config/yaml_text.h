/* A YAML text that people write: one document, small, of few levels.  Thread-safe. */
#ifndef MS_CLI_CONFIG_YAML_TEXT_H
#define MS_CLI_CONFIG_YAML_TEXT_H

#include <stddef.h>
#include <yaml.h>

#include "platform/status.h"

/* Reads the document of a text; an empty text has one without a root node.  libyaml keeps the line of every node, so
   that a message can say where; `name` stands for the file in messages.  The caller deletes `out`
   (yaml_document_delete).  MS_INVALID: "name:line: ..." for what is no YAML, a second document, or more than 16 levels.
   MS_OUT_OF_MEMORY. */
ms_status ms_yaml_load(const char *name, const char *text, size_t size_bytes, yaml_document_t *out);

#endif
