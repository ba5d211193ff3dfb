#include "csimdjson.h"

#include <new>
#include <simdjson.h>
#include <vector>

struct cs_json_parser {
    simdjson::dom::parser parser;
    std::vector<cs_json_node> nodes;
};

namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

void append_text(std::vector<cs_json_node> &nodes, const char *text, size_t length) {
    cs_json_node node{};
    node.kind = CS_JSON_STRING;
    node.value.text = text;
    node.length = length;
    node.span = 1;
    nodes.push_back(node);
}

// The depth is bounded by the parser's.
simdjson::error_code append(std::vector<cs_json_node> &nodes, const element &value) {
    // Spans have 32 bits.
    if (nodes.size() >= UINT32_MAX - 2) { return simdjson::CAPACITY; }
    if (value.type() == element_type::STRING) {
        append_text(nodes, value.get_c_str().value_unsafe(), value.get_string_length().value_unsafe());
        return simdjson::SUCCESS;
    }
    const size_t index = nodes.size();
    cs_json_node node{};
    switch (value.type()) {
    case element_type::NULL_VALUE: node.kind = CS_JSON_NULL; break;
    case element_type::BOOL: node.kind = value.get_bool().value_unsafe() ? CS_JSON_TRUE : CS_JSON_FALSE; break;
    case element_type::INT64:
        node.kind = CS_JSON_INTEGER;
        node.value.integer = value.get_int64().value_unsafe();
        break;
    case element_type::UINT64:
        // Beyond the signed range.
        node.kind = CS_JSON_UNSIGNED;
        node.value.natural = value.get_uint64().value_unsafe();
        break;
    case element_type::DOUBLE:
        node.kind = CS_JSON_DOUBLE;
        node.value.number = value.get_double().value_unsafe();
        break;
    case element_type::ARRAY: node.kind = CS_JSON_ARRAY; break;
    case element_type::OBJECT: node.kind = CS_JSON_OBJECT; break;
    case element_type::STRING: break;
    }
    nodes.push_back(node);
    uint64_t count = 0;
    if (node.kind == CS_JSON_ARRAY) {
        // Named, because a loop keeps only its own range alive, and this is a reference into a result.
        const simdjson::dom::array children = value.get_array().value_unsafe();
        for (element child : children) {
            if (auto error = append(nodes, child)) { return error; }
            count++;
        }
        nodes[index].value.count = count;
    } else if (node.kind == CS_JSON_OBJECT) {
        const simdjson::dom::object members = value.get_object().value_unsafe();
        for (auto member : members) {
            append_text(nodes, member.key.data(), member.key.size());
            if (auto error = append(nodes, member.value)) { return error; }
            count++;
        }
        nodes[index].value.count = count;
    }
    nodes[index].span = static_cast<uint32_t>(nodes.size() - index);
    return simdjson::SUCCESS;
}

} // namespace

cs_json_parser *cs_json_parser_create(void) { return new (std::nothrow) cs_json_parser(); }

void cs_json_parser_destroy(cs_json_parser *parser) { delete parser; }

int cs_json_parse(cs_json_parser *parser, const char *text, size_t length, size_t max_depth,
                  const cs_json_node **nodes, size_t *count) {
    try {
        parser->nodes.clear();
        // The depth of a parser is fixed with its memory.
        if (parser->parser.max_depth() != max_depth || parser->parser.capacity() < length) {
            // Room for somewhat longer texts: pages differ a little, and memory that is not touched costs nothing.
            const size_t room = length < 4096 ? 4096 : length + length / 4;
            if (auto error = parser->parser.allocate(room, max_depth)) { return error; }
        }
        element root;
        // The copy into padded memory is the parser's own.
        if (auto error = parser->parser.parse(text, length, true).get(root)) { return error; }
        if (auto error = append(parser->nodes, root)) { return error; }
        *nodes = parser->nodes.data();
        *count = parser->nodes.size();
        return 0;
    } catch (...) {
        return simdjson::MEMALLOC;
    }
}

const char *cs_json_error_text(int error) {
    return simdjson::error_message(static_cast<simdjson::error_code>(error));
}
