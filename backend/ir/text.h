/* What printing and parsing of graphs share.  Internal to backend/ir. */
#ifndef MS_BACKEND_IR_TEXT_H
#define MS_BACKEND_IR_TEXT_H

/* Indexed by ms_variable_kind. */
#define MS_VARIABLE_KIND_NAMES                                                                                         \
    { "parameter", "state", "gradient", "input", "constant", "output" }

#endif
