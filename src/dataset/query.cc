#include "dataset/query.h"

#include <algorithm>
#include <array>

#include "base/format.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "dataset/query_terms.h"

namespace loam::dataset {

struct Query::Node {
  enum class Kind : std::uint8_t { kAnd, kOr, kNot, kTerm };
  Kind kind = Kind::kTerm;
  std::vector<std::shared_ptr<const Node>> parts = {};
  Term term = {};
};

namespace {

using Node = Query::Node;
using NodePtr = std::shared_ptr<const Node>;

struct Token {
  enum class Kind : std::uint8_t { kWord, kQuoted, kSign, kEnd };
  Kind kind = Kind::kEnd;
  std::string text = {};
  std::size_t column = 1;
};

std::unexpected<Error> refuse(std::size_t column, std::string_view why) {
  return fail(ErrorCode::kInvalidArgument, format("query, column {}: {}", column, why),
              "for example: rating >= 1 and lang = en and not model = \"tiny*\"");
}

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_sign(char c) { return std::string_view("()=!<>,\"").find(c) != std::string_view::npos; }

/// Columns count code points, as an editor does.
std::size_t column_of(std::string_view text, std::size_t at) {
  return 1 + static_cast<std::size_t>(std::ranges::count_if(text.substr(0, at), [](char c) {
           return (static_cast<unsigned>(c) & 0xc0U) != 0x80U;
         }));
}

Result<Token> quoted(std::string_view text, std::size_t& at) {
  Token out{Token::Kind::kQuoted, {}, column_of(text, at)};
  for (++at; at < text.size(); ++at) {
    if (text[at] == '"') return ++at, out;
    if (text[at] == '\\' && at + 1 < text.size()) ++at;  // \" and \\ stand for the second one
    out.text += text[at];
  }
  return refuse(out.column, "this quotation mark is not closed");
}

Result<std::vector<Token>> tokens_of(std::string_view text) {
  std::vector<Token> out;
  for (std::size_t at = 0; at < text.size();) {
    if (is_space(text[at])) {
      ++at;
    } else if (text[at] == '"') {
      out.push_back(LOAM_TRY(quoted(text, at)));
    } else if (is_sign(text[at])) {
      const bool has_equals = text[at] != '(' && text[at] != ')' && text[at] != ',' &&
                              text[at] != '=' && text.substr(at + 1).starts_with('=');
      const std::size_t length = has_equals ? 2 : 1;
      out.push_back(
          {Token::Kind::kSign, std::string(text.substr(at, length)), column_of(text, at)});
      at += length;
    } else {
      const std::size_t first = at;
      while (at < text.size() && !is_space(text[at]) && !is_sign(text[at])) ++at;
      out.push_back({Token::Kind::kWord, std::string(text.substr(first, at - first)),
                     column_of(text, first)});
    }
  }
  out.push_back({Token::Kind::kEnd, "the end", column_of(text, text.size())});
  return out;
}

/// Recursive descent over the grammar of docs/formats/dataset.md, one function a rule.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<NodePtr> expression_or_nothing() {
    if (at_end() || is_word("cap")) return nullptr;
    return any_of();
  }

  Result<std::optional<std::int64_t>> cap() {
    if (!is_word("cap")) return std::nullopt;
    ++at_;
    const std::optional<std::int64_t> number = parse_int(token().text);
    if (!number || *number < 1) return refuse(token().column, "a number from 1 on must follow cap");
    ++at_;
    return number;
  }

  Result<> end() const {
    if (at_end()) return {};
    return refuse(token().column,
                  format("\"{}\" was not expected here; \"and\", \"or\" or \"cap\" may follow",
                         token().text));
  }

 private:
  const Token& token() const { return tokens_[at_]; }
  bool at_end() const { return token().kind == Token::Kind::kEnd; }
  bool is_word(std::string_view word) const {
    return token().kind == Token::Kind::kWord && to_lower_ascii(token().text) == word;
  }
  bool is_sign(std::string_view sign) const {
    return token().kind == Token::Kind::kSign && token().text == sign;
  }

  Result<NodePtr> any_of() { return chain("or", Node::Kind::kOr, &Parser::all_of); }
  Result<NodePtr> all_of() { return chain("and", Node::Kind::kAnd, &Parser::one); }

  /// PART { WORD PART }
  Result<NodePtr> chain(std::string_view word, Node::Kind kind, Result<NodePtr> (Parser::*part)()) {
    NodePtr first = LOAM_TRY((this->*part)());
    if (!is_word(word)) return first;
    auto out = std::make_shared<Node>();
    out->kind = kind;
    out->parts.push_back(std::move(first));
    while (is_word(word)) {
      ++at_;
      out->parts.push_back(LOAM_TRY((this->*part)()));
    }
    return out;
  }

  Result<NodePtr> one() {
    if (++depth_ > kQueryDepthMax)
      return fail(ErrorCode::kResourceExhausted,
                  format("query, column {}: more than {} deep", token().column, kQueryDepthMax));
    auto out = is_word("not") ? negated() : is_sign("(") ? bracketed() : comparison();
    --depth_;
    return out;
  }

  Result<NodePtr> negated() {
    ++at_;
    auto out = std::make_shared<Node>();
    out->kind = Node::Kind::kNot;
    out->parts.push_back(LOAM_TRY(one()));
    return out;
  }

  Result<NodePtr> bracketed() {
    const std::size_t column = token().column;
    ++at_;
    NodePtr out = LOAM_TRY(any_of());
    if (!is_sign(")"))
      return refuse(token().column, format("\")\" must close the one of column {}", column));
    ++at_;
    return out;
  }

  /// FIELD OPERATOR VALUE, or FIELD in (VALUE, ...)
  Result<NodePtr> comparison() {
    if (token().kind != Token::Kind::kWord)
      return refuse(token().column, format("a field must stand here: {}", field_names()));
    const Token field = token();
    ++at_;
    if (is_word("in")) return membership(field);
    const Token sign = token();
    if (sign.kind != Token::Kind::kSign || sign.text == "(" || sign.text == ")" || sign.text == ",")
      return refuse(sign.column, "=, !=, <, <=, >, >= or in must follow the field");
    ++at_;
    const Token operand = LOAM_TRY(value());
    return term(field, sign, operand);
  }

  Result<NodePtr> membership(const Token& field) {
    ++at_;
    if (!is_sign("(")) return refuse(token().column, "\"(\" must follow in");
    auto out = std::make_shared<Node>();
    out->kind = Node::Kind::kOr;
    const Token equals{Token::Kind::kSign, "=", token().column};
    do {
      ++at_;
      const Token operand = LOAM_TRY(value());
      out->parts.push_back(LOAM_TRY(term(field, equals, operand)));
    } while (is_sign(","));
    if (!is_sign(")")) return refuse(token().column, "\",\" or \")\" must follow a value");
    ++at_;
    return out;
  }

  Result<Token> value() {
    if (token().kind != Token::Kind::kWord && token().kind != Token::Kind::kQuoted)
      return refuse(token().column, "a value must stand here");
    return tokens_[at_++];
  }

  Result<NodePtr> term(const Token& field, const Token& sign, const Token& value) {
    if (++terms_ > kQueryTermsMax)
      return fail(ErrorCode::kResourceExhausted, format("query, column {}: more than {} conditions",
                                                        field.column, kQueryTermsMax));
    auto made = Term::make(to_lower_ascii(field.text), sign.text, value.text);
    if (!made) {
      const TermFault& fault = made.error();
      const std::size_t column = fault.at == TermFault::At::kField  ? field.column
                                 : fault.at == TermFault::At::kSign ? sign.column
                                                                    : value.column;
      return refuse(column, fault.why);
    }
    auto out = std::make_shared<Node>();
    out->term = *std::move(made);
    return out;
  }

  std::vector<Token> tokens_;
  std::size_t at_ = 0, depth_ = 0, terms_ = 0;
};

/// Kleene's logic: what is not known yet may still be decided by the other parts.
Answer evaluate(const Node& node, const HeaderFacts& header, const BodyFacts* body) {
  if (node.kind == Node::Kind::kTerm) return node.term.matches(header, body);
  if (node.kind == Node::Kind::kNot) {
    const Answer inner = evaluate(*node.parts.front(), header, body);
    if (inner == Answer::kNeedsBody) return inner;
    return inner == Answer::kYes ? Answer::kNo : Answer::kYes;
  }
  const Answer decisive = node.kind == Node::Kind::kAnd ? Answer::kNo : Answer::kYes;
  Answer out = node.kind == Node::Kind::kAnd ? Answer::kYes : Answer::kNo;
  for (const NodePtr& part : node.parts) {
    const Answer answer = evaluate(*part, header, body);
    if (answer == decisive) return decisive;
    if (answer == Answer::kNeedsBody) out = answer;
  }
  return out;
}

}  // namespace

Result<Query> Query::parse(std::string_view text) {
  if (text.size() > kQueryBytesMax)
    return fail(ErrorCode::kResourceExhausted,
                format("query: {} bytes; {} are allowed", text.size(), kQueryBytesMax));
  if (!is_valid_utf8(text)) return refuse(1, "it is not UTF-8");
  Parser parser(LOAM_TRY(tokens_of(text)));
  Query out;
  out.text_ = text;
  out.root_ = LOAM_TRY(parser.expression_or_nothing());
  out.author_cap_ = LOAM_TRY(parser.cap());
  LOAM_TRY(parser.end());
  return out;
}

Answer Query::matches(const HeaderFacts& header, const BodyFacts* body) const {
  return root_ == nullptr ? Answer::kYes : evaluate(*root_, header, body);
}

}  // namespace loam::dataset
