#include <fmt/core.h>

#include "cli/commands.h"
#include "cli/json.h"
#include "cli/key_commands.h"
#include "repo/key_file.h"

namespace holdfast::cli {

std::string key_details() {
  return "list shows all keys, and ends with 3 where one can't be read; add makes one for a password, or "
         "with --recipient one that a secret key opens, which the repository never sees; remove drops "
         "one; passwd changes the password in use; new-recipient FILE makes a secret key in FILE and the "
         "public one in FILE.pub. kit writes all secrets as a text to print and keep; recover adds a "
         "password from such a text when all others are lost. rotate makes a new read key: what is "
         "written afterwards opens only for keys made from then on, for the one in use and for "
         "recipients that may read; what was written before opens as before. domain add makes a key domain, "
         "into which backup --domain stores under a secret of its own; domain erase destroys that secret, so "
         "that no key and no kit reads any of its snapshots again. Roles: admin may do all; "
         "read reads; write adds snapshots and can neither read nor remove earlier ones; maint forgets "
         "and prunes without reading; audit verifies packs.";
}

std::string key_id(const std::string& name) { return name.substr(std::string_view(repo::kKeyPrefix).size()); }

void declare(Syntax& syntax, KeyOptions& options) {
  Argument& action = syntax.argument("ACTION", &options.action, "what to do");
  action.choices = {"list", "add", "remove", "passwd", "new-recipient", "kit", "recover", "rotate", "domain"};
  action.required = true;
  syntax.argument("WORD", &options.words,
                  "for remove the key, or the beginning of its id; for new-recipient a file; for recover "
                  "the files with the kit or its shares, else it is read from the standard input; for domain "
                  "list, add NAME or erase NAME");
  Option& role = syntax.option("--role", "ROLE", &options.role,
                               "what the new key may do; default: all that the present one may");
  role.choices = {"admin", "read", "write", "maint", "audit"};
  syntax.option("--recipient", "FILE", &options.recipient,
                "seal the new key to the public key in FILE, instead of a password");
  syntax.option("--new-password-file", "FILE", &options.new_password_file, "a file with the new password");
  syntax.option("--shares", "N", &options.shares, "for kit: split it into N shares …");
  syntax.option("--threshold", "K", &options.threshold, "… of which any K together restore it");
  syntax.option("--target", "DIR", &options.target,
                "for kit: write share-1.txt and so on into this folder, instead of to the standard output");
  syntax.option("--label", "TEXT", &options.label, "what the new key is called; default: user@host");
  syntax.option("--user", "USER", &options.user, "the user in that name");
  syntax.option("--host", "HOST", &options.host, "the machine in that name");
  syntax.option("--confirm", "NAME", &options.confirm,
                "for domain erase: the name again, since nothing undoes it");
  syntax.flag("-n,--dry-run", &options.dry_run, "only say what would be done");
}

Result<Password> new_password(const Context& context, const KeyOptions& options) {
  PasswordSources sources;
  sources.file = options.new_password_file;
  sources.prompt = "new password";
  sources.twice = true;
  return read_password(sources, context.environment, context.stop);
}

void tell_key(Context& context, const char* type, bool dry_run, const std::string& text,
              const std::string& id) {
  if (context.global.json) {
    JsonObject object;
    object.add("message_type", type);
    if (!id.empty()) object.add("id", id);
    if (dry_run) object.add("dry_run", true);
    context.out.line(object.text());
  } else if (!context.global.quiet) {
    context.out.line(fmt::format("{}{}{}", text, id.empty() ? "" : " ", id.substr(0, 8)));
  }
}

std::string key_label(const Context& context, const KeyOptions& options) {
  if (!options.label.empty()) return options.label;
  return (options.user.empty() ? user_name() : options.user) + "@" +
         (options.host.empty() ? host_name(context.environment) : options.host);
}

namespace {

using Key = repo::Repository::KeyInfo;

// The epochs of the read key that it opens.
std::string epochs_text(const Key& key) {
  if (!repo::allows(key.slot.rights, repo::Right::read)) return "-";
  return key.slot.epoch == 0 ? "epoch 0" : fmt::format("epochs 0-{}", key.slot.epoch);
}

Result<int> list(Context& context, const repo::Repository& repository) {
  const std::vector<Key> keys = TRY(repository.keys(context.stop));
  std::vector<std::string> objects;
  std::uint64_t unreadable = 0;
  Table table({" ID", "Role", "Kind", "Reads", "Label", "Created"});
  for (const Key& key : keys) {
    JsonObject object;
    object.add("current", key.current).add("id", key_id(key.name)).add("readable", key.trouble.empty());
    if (!key.trouble.empty()) {
      objects.push_back(object.add("message", key.trouble).text());
      table.row({" " + key_id(key.name).substr(0, 8), "", "unreadable", "", printable(key.trouble), ""});
      ++unreadable;
      continue;
    }
    const std::size_t at = key.slot.label.find('@');
    object.add("label", key.slot.label);
    if (at != std::string::npos) {
      object.add("userName", key.slot.label.substr(0, at)).add("hostName", key.slot.label.substr(at + 1));
    }
    object.add("created", time_text(key.slot.created));
    const std::string role = repo::describe(key.slot.rights);
    const char* const kind = key.slot.kind == repo::SlotKind::recipient ? "recipient" : "password";
    object.add("role", role).add("kind", kind);
    if (repo::allows(key.slot.rights, repo::Right::read)) object.add("epoch", std::uint64_t{key.slot.epoch});
    objects.push_back(object.text());
    table.row({(key.current ? "*" : " ") + key_id(key.name).substr(0, 8), role, kind, epochs_text(key),
               printable(key.slot.label), time_text(key.slot.created)});
  }
  context.global.json ? context.out.line(json_array(objects)) : context.out.write(table.text());
  if (unreadable == 0) return 0;
  fmt::print(
      stderr,
      "holdfast: {} can't be read: whoever's it is must get another; `holdfast key remove ID` takes it "
      "away\n",
      counted(unreadable, "key slot"));
  return exit_code(Errc::partial);
}

Result<std::string> add(Context& context, const repo::Repository& repository, const KeyOptions& options) {
  TRY(repo::require(repository.secrets(), {repo::Right::admin}));
  const auto role = repo::parse_role(options.role);
  repo::Secrets secrets = repository.secrets().copy();
  if (role) secrets = TRY(repo::narrowed(secrets, *role));
  const std::string label = key_label(context, options);
  std::string name;
  if (!options.recipient.empty()) {
    const Password text = TRY(read_secret_file(options.recipient, "the recipient's file"));
    const auto recipient = TRY_AS(repo::parse_recipient(as_text(text.bytes())), options.recipient);
    if (options.dry_run) return name;
    name = TRY(repository.add_recipient(secrets, recipient, label, context.stop));
  } else {
    const Password password = TRY(new_password(context, options));
    if (options.dry_run) return name;
    name = TRY(repository.add_key(secrets, password.bytes(), label, {}, context.stop));
  }
  return key_id(name);
}

Result<int> remove(Context& context, const repo::Repository& repository, const KeyOptions& options) {
  TRY(repo::require(repository.secrets(), {repo::Right::admin}));
  if (options.words.size() != 1)
    return Error(Errc::usage, "which key to remove?").hint("`holdfast key list` shows them");
  const std::vector<Key> keys = TRY(repository.keys(context.stop));
  std::vector<const Key*> found;
  for (const Key& key : keys) {
    if (key_id(key.name).starts_with(options.words.front())) found.push_back(&key);
  }
  if (found.empty()) return Error(Errc::not_found, "there is no key " + options.words.front());
  if (found.size() > 1) return Error(Errc::usage, "several keys begin with " + options.words.front());
  if (found.front()->current) {
    return Error(Errc::usage, "that key is the one in use")
        .hint("open the repository with another password first");
  }
  if (!options.dry_run) TRY(repository.remove_key(found.front()->name, context.stop));
  tell_key(context, "key_removed", options.dry_run, options.dry_run ? "would remove key" : "removed key",
           key_id(found.front()->name));
  return 0;
}

// The secret key first: nothing must be sealed to a public key whose other half was lost.
Result<int> new_recipient(Context& context, const KeyOptions& options) {
  if (options.words.size() != 1) return Error(Errc::usage, "name one file for the secret key");
  const std::string& file = options.words.front();
  crypto::Key secret;
  system_random().fill(secret.writable());
  const std::string recipient = repo::recipient_text(crypto::x25519_public(secret));
  if (!options.dry_run) {
    const Password text("# The secret key of a holdfast recipient: who has it opens what is sealed to it.\n" +
                        repo::secret_key_text(secret));
    TRY(write_new_file(file, as_text(text.bytes()), 0600));
    TRY(write_new_file(file + ".pub", recipient, 0644));
  }
  if (context.global.json) {
    JsonObject object;
    object.add("message_type", "recipient_made")
        .add("file", file)
        .add("recipient", recipient.substr(0, recipient.size() - 1));
    context.out.line(object.text());
  } else if (!context.global.quiet) {
    context.out.line(fmt::format("{} {} and {}.pub", options.dry_run ? "would make" : "made", printable(file),
                                 printable(file)));
  }
  return 0;
}

// A slot can't be rewritten: the new one first, then the old one goes, by the new one's right.
Result<int> change_password(Context& context, const Session& session, const KeyOptions& options) {
  const repo::Repository& repository = *session.repository;
  const std::vector<Key> keys = TRY(repository.keys(context.stop));
  for (const Key& key : keys) {
    if (!key.current || key.slot.kind == repo::SlotKind::password) continue;
    return Error(Errc::usage, "the key in use is a recipient's, which has no password")
        .hint("`holdfast key add` adds a password");
  }
  std::string label =
      options.user.empty() && options.host.empty() ? options.label : key_label(context, options);
  for (const Key& key : keys) {
    if (key.current && label.empty()) label = key.slot.label;
  }
  const Password password = TRY(new_password(context, options));
  if (options.dry_run) {
    tell_key(context, "key_changed", true, "would replace key", repository.key_name().substr(5));
    return 0;
  }
  const std::string name = TRY(repository.add_key(password.bytes(), label, {}, context.stop));
  const auto with_new =
      TRY(repo::Repository::open(doors_of(*session.storage), password.bytes(), context.stop));
  TRY(with_new->remove_key(repository.key_name(), context.stop));
  tell_key(context, "key_changed", false, "changed the password; the new key is", name.substr(5));
  return 0;
}

}  // namespace

Result<int> run(Context& context, const KeyOptions& options) {
  if (options.action == "kit") return print_kit(context, options);
  if (options.action == "recover") return recover(context, options);
  if (options.action == "domain") return manage_domains(context, options);
  if (options.action == "new-recipient") return new_recipient(context, options);
  if (options.action == "rotate") return rotate(context, options);
  const Session session = TRY(open_session(context, {}));
  if (options.action == "list") return list(context, *session.repository);
  if (options.action == "remove") return remove(context, *session.repository, options);
  if (options.action == "passwd") return change_password(context, session, options);
  const std::string id = TRY(add(context, *session.repository, options));
  tell_key(context, "key_added", options.dry_run, options.dry_run ? "would add a key" : "added key", id);
  return 0;
}

}  // namespace holdfast::cli
