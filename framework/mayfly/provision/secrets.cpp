#include "mayfly/provision/secrets.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr std::string_view kMask = "********";
constexpr std::size_t kLeast = 4;

std::string read_secret(const std::string& name, const SecretSource& source) {
  std::string value;
  if (source.file.empty()) {
    const char* variable = std::getenv(source.env.c_str());
    if (variable == nullptr) {
      throw Error(fmt::format("secret '{}': the environment variable '{}' is not set", name, source.env));
    }
    value = variable;
  } else {
    value = in_context(fmt::format("reading the secret '{}'", name), [&] { return read_file(source.file); });
    if (value.ends_with('\n')) {
      value.pop_back();
    }
  }
  if (value.size() < kLeast) {
    throw Error(fmt::format(
        "secret '{}' (of {}): {}", name,
        source.file.empty() ? fmt::format("the environment variable '{}'", source.env)
                            : fmt::format("'{}'", source.file.string()),
        value.empty() ? "it is empty" : "shorter than 4 characters: it can't be masked without hiding other words"));
  }
  return value;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string as_json(std::string_view text) { return boost::json::serialize(boost::json::string(text)); }

template <typename Step>
void hand_over(Step& step, const std::string& name, const std::string& value) {
  if constexpr (requires { step.env; }) {
    step.env[name] = value;
  } else if constexpr (requires { step.facts; }) {
    step.facts[name] = value;
  } else {
    step.vars[name] = as_json(value);
  }
}

}  // namespace

std::map<std::string, std::string> read_secrets(const std::map<std::string, SecretSource>& sources) {
  std::map<std::string, std::string> secrets;
  for (const auto& [name, source] : sources) {
    secrets[name] = read_secret(name, source);
  }
  return secrets;
}

ProvisionStep with_secrets(ProvisionStep step, const std::map<std::string, std::string>& secrets) {
  for (const auto& [name, value] : secrets) {
    std::visit([&, &key = name, &secret = value](auto& action) { hand_over(action, key, secret); }, step.action);
  }
  return step;
}

SecretMask::SecretMask(const std::map<std::string, std::string>& secrets) {
  for (const auto& [name, value] : secrets) {
    std::vector<std::string> plain{value};
    if (value.find('\n') != std::string::npos) {
      for (std::size_t at = 0; at < value.size();) {
        const std::size_t end = std::min(value.find('\n', at), value.size());
        plain.push_back(value.substr(at, end - at));
        at = end + 1;
      }
    }
    for (const std::string& text : plain) {
      const std::string json = as_json(text);
      for (const std::string& form : {text, json.substr(1, json.size() - 2), replaced(text, "'", "\\'"),
                                      replaced(text, "'", "'\\''"), replaced(text, "'", "'\"'\"'")}) {
        if (form.size() >= kLeast) {
          texts_.push_back(form);
        }
      }
    }
  }
  std::sort(texts_.begin(), texts_.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a < b;
  });
  texts_.erase(std::unique(texts_.begin(), texts_.end()), texts_.end());
}

SecretMask mask_of(const std::vector<ProvisionStep>& steps) {
  std::map<std::string, std::string> all;
  for (const ProvisionStep& step : steps) {
    for (auto& [name, value] : read_secrets(step.secrets)) {
      // Two steps may call two secrets the same.
      all[fmt::format("{} {}", all.size(), name)] = value;
    }
  }
  return SecretMask(all);
}

std::string SecretMask::operator()(std::string_view text) const {
  std::string masked(text);
  for (const std::string& secret : texts_) {
    masked = replaced(std::move(masked), secret, kMask);
  }
  return masked;
}

void SecretMask::apply(TaskResult& task) const {
  for (std::string* text : {&task.name, &task.where, &task.message}) {
    *text = (*this)(*text);
  }
  for (std::string& path : task.predicted) {
    path = (*this)(path);
  }
}

void SecretMask::apply(Verdict& verdict) const {
  verdict.message = (*this)(verdict.message);
  verdict.hint = (*this)(verdict.hint);
}

void SecretMask::apply(const std::filesystem::path& directory) const {
  if (empty() || !std::filesystem::exists(directory)) {
    return;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    if (!entry.is_regular_file() || entry.is_symlink()) {
      continue;
    }
    const std::string content = read_file(entry.path());
    const std::string masked = (*this)(content);
    if (masked != content) {
      write_file(entry.path(), masked);
    }
  }
}

}  // namespace mayfly
