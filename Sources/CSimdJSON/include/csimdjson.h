// A narrow C face of simdjson's document parser: one flat array of nodes in document order.
#ifndef CSIMDJSON_H
#define CSIMDJSON_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CS_JSON_NULL = 0,
    CS_JSON_FALSE = 1,
    CS_JSON_TRUE = 2,
    CS_JSON_INTEGER = 3,
    CS_JSON_DOUBLE = 4,
    CS_JSON_STRING = 5,
    CS_JSON_ARRAY = 6,
    CS_JSON_OBJECT = 7,
    // A whole number beyond the signed range.
    CS_JSON_UNSIGNED = 8
};

// A value, or the name of a member, which is a string right before its value.
typedef struct {
    // Nodes that this value takes, itself included: the next one is that far away.
    uint32_t span;
    uint32_t kind;
    union {
        int64_t integer;
        uint64_t natural;
        double number;
        // Unescaped UTF-8 of a string; lives until the next parse.
        const char *text;
        // Members or elements.
        uint64_t count;
    } value;
    // Bytes of a string.
    uint64_t length;
} cs_json_node;

typedef struct cs_json_parser cs_json_parser;

// NULL if there is no memory.
cs_json_parser *cs_json_parser_create(void);
void cs_json_parser_destroy(cs_json_parser *parser);

// Returns 0 and the nodes, or the number of simdjson's error. Nodes live until the next parse.
int cs_json_parse(cs_json_parser *parser, const char *text, size_t length, size_t max_depth,
                  const cs_json_node **nodes, size_t *count);

// The text of an error number.
const char *cs_json_error_text(int error);

#ifdef __cplusplus
}
#endif
#endif
