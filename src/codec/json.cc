#include "codec/json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "base/format.h"
#include "codec/json_items.h"

namespace loam::codec {
namespace {

/// Builds a Value from the library's events, refusing what our limits refuse. A handler returns
/// false to stop the parse; `error_` then says why.
class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Builder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return put(Value()); }
  bool boolean(bool v) override { return put(Value(v)); }
  bool number_integer(number_integer_t v) override { return put(Value(std::int64_t{v})); }
  bool number_unsigned(number_unsigned_t v) override {
    if (v > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return put(Value(static_cast<double>(v)));
    return put(Value(static_cast<std::int64_t>(v)));
  }
  bool number_float(number_float_t v, const string_t&) override {
    if (!std::isfinite(v)) return refuse(ErrorCode::kInvalidArgument, "number out of range");
    return put(Value(v));
  }
  bool string(string_t& v) override { return put(Value(std::move(v))); }
  bool binary(binary_t&) override { return refuse(ErrorCode::kInvalidArgument, "binary"); }

  bool start_object(std::size_t) override { return open(Value(Object{})); }
  bool key(string_t& v) override {
    if (!open_.back().names.insert(v).second)
      return refuse(ErrorCode::kInvalidArgument, "a name stands twice in one object");
    open_.back().key = std::move(v);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Value(Array{})); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& e) override {
    // The library's text quotes the input, which may be a prompt: only the place is passed on.
    const bool range = e.id == 406;
    return refuse(ErrorCode::kInvalidArgument,
                  range ? "number out of range" : format("syntax error at byte {}", position));
  }

  Result<Value> take() {
    if (error_) return std::unexpected(std::move(*error_));
    return std::move(root_);
  }
  bool failed() const { return error_.has_value(); }

 private:
  struct Open {
    Value::Data value;
    std::string key;
    std::set<std::string> names;  // no hash, whose collisions a stranger could choose
  };

  bool refuse(ErrorCode code, const std::string& why) {
    if (!error_) error_ = Error{code, "JSON: " + why};
    return false;
  }

  bool open(const Value& value) {
    if (open_.size() >= limits_.depth_max)
      return refuse(ErrorCode::kInvalidArgument,
                    format("nested deeper than {} levels", limits_.depth_max));
    if (!count()) return false;
    open_.push_back({value.data(), {}, {}});
    return true;
  }

  bool close() {
    Value done(std::move(open_.back().value));
    open_.pop_back();
    attach(std::move(done));
    return true;
  }

  bool put(Value value) {
    if (!count()) return false;
    attach(std::move(value));
    return true;
  }

  bool count() {
    if (++values_ > limits_.values_max)
      return refuse(ErrorCode::kResourceExhausted,
                    format("more than {} values", limits_.values_max));
    return true;
  }

  void attach(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (auto* array = std::get_if<Array>(&open_.back().value)) {
      array->push_back(std::move(value));
    } else {
      std::get<Object>(open_.back().value)
          .emplace_back(std::move(open_.back().key), std::move(value));
    }
  }

  const JsonLimits& limits_;
  std::vector<Open> open_;
  Value root_;
  std::optional<Error> error_;
  std::size_t values_ = 0;
};

/// Writes one value; members of containers on lines of their own if `indent` >= 0.
class Writer {
 public:
  explicit Writer(int indent) : indent_(indent) {}

  void write(const Value& value) {
    std::visit([this](const auto& v) { put(v); }, value.data());
  }
  std::string take() { return std::move(out_); }

 private:
  void put(std::monostate) { out_ += "null"; }
  void put(bool v) { out_ += v ? "true" : "false"; }
  void put(std::int64_t v) { out_ += format("{}", v); }
  void put(double v) {
    if (!std::isfinite(v)) {
      out_ += "null";
      return;
    }
    const std::string text = format("{}", v);
    out_ += text;
    // A whole double stays a double when it is read back.
    if (text.find_first_of(".e") == std::string::npos) out_ += ".0";
  }
  void put(const std::string& v) { append_json_string(out_, v); }
  void put(const Bytes& v) { append_json_string(out_, to_base64(v)); }
  void put(const Array& items) {
    out_ += '[';
    ++depth_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      next(i);
      write(items[i]);
    }
    end(']', items.empty());
  }
  void put(const Object& members) {
    out_ += '{';
    ++depth_;
    for (std::size_t i = 0; i < members.size(); ++i) {
      next(i);
      append_json_string(out_, members[i].first);
      out_ += indent_ >= 0 ? ": " : ":";
      write(members[i].second);
    }
    end('}', members.empty());
  }

  void next(std::size_t index) {
    if (index > 0) out_ += ',';
    new_line();
  }
  void end(char bracket, bool empty) {
    --depth_;
    if (!empty) new_line();
    out_ += bracket;
  }
  void new_line() {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(indent_) * depth_, ' ');
  }

  int indent_;
  std::size_t depth_ = 0;
  std::string out_;
};

}  // namespace

Result<Value> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes_max)
    return fail(ErrorCode::kResourceExhausted,
                format("JSON: larger than {} bytes", limits.bytes_max));
  Builder builder(limits);
  const bool whole = nlohmann::json::sax_parse(text, &builder);
  if (!whole && !builder.failed()) return fail(ErrorCode::kInvalidArgument, "JSON: syntax error");
  return builder.take();
}

std::string to_json(const Value& value, int indent) {
  Writer writer(indent);
  writer.write(value);
  return writer.take();
}

}  // namespace loam::codec
