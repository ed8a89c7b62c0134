/* What printing and parsing of graphs share.  Internal to backend/ir. */
#ifndef MS_BACKEND_IR_TEXT_H
#define MS_BACKEND_IR_TEXT_H

/* The word for an ms_variable_kind, NULL beyond the last.  Static. */
const char *ms_variable_kind_word(int kind);

#endif
