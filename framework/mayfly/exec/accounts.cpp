#include "mayfly/exec/accounts.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace mayfly {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return parts;
    }
    text.remove_prefix(end + 1);
  }
}

std::optional<std::uint32_t> parse_id(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return std::nullopt;
  }
  return id;
}

std::optional<Account> parse_passwd_line(std::string_view line) {
  const auto fields = split(line, ':');
  if (fields.size() < 6) {
    return std::nullopt;
  }
  const auto uid = parse_id(fields[2]);
  const auto gid = parse_id(fields[3]);
  if (!uid || !gid || fields[0].empty()) {
    return std::nullopt;
  }
  Account account{.name = std::string(fields[0]), .uid = *uid, .gid = *gid};
  if (!fields[5].empty()) {
    account.home = fields[5];
  }
  return account;
}

std::vector<gid_t> supplementary_groups(std::string_view group, const Account& account) {
  std::vector<gid_t> groups{account.gid};
  for (const std::string_view line : split(group, '\n')) {
    const auto fields = split(line, ':');
    const auto gid = fields.size() < 4 ? std::nullopt : parse_id(fields[2]);
    if (!gid || std::find(groups.begin(), groups.end(), *gid) != groups.end()) {
      continue;
    }
    const auto members = split(fields[3], ',');
    if (std::find(members.begin(), members.end(), account.name) != members.end()) {
      groups.push_back(*gid);
    }
  }
  return groups;
}

}  // namespace

std::optional<Account> find_account(std::string_view passwd, std::string_view group, std::string_view user) {
  const auto number = parse_id(user);
  std::optional<Account> found;
  for (const std::string_view line : split(passwd, '\n')) {
    auto account = parse_passwd_line(line);
    if (!account) {
      continue;
    }
    // A name that looks like a number wins over the number, as in chown(1).
    if (account->name == user) {
      found = std::move(account);
      break;
    }
    if (number && account->uid == *number && !found) {
      found = std::move(account);
    }
  }
  if (!found && number) {
    return Account{.name = std::string(user), .uid = *number, .gid = *number, .groups = {*number}};
  }
  if (found) {
    found->groups = supplementary_groups(group, *found);
  }
  return found;
}

}  // namespace mayfly
