#include "mayfly/facts/facts.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "mayfly/exec/command.h"
#include "mayfly/facts/autoadd.h"
#include "mayfly/facts/check.h"
#include "mayfly/facts/network_facts.h"
#include "mayfly/profile/check_text.h"
#include "mayfly/profile/profile.h"
#include "mayfly/support/deadline.h"
#include "tests/support/shared_container.h"
#include "tests/support/test_container.h"

namespace mayfly {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Facts : public test::SharedContainer<Facts> {
 public:
  static Profile profile() { return {.name = "facts", .image = test::systemd_image(), .hostname = "facts"}; }

 protected:
  static void sh(const std::string& script) { check(target(), {"/bin/sh", "-ec", script}); }
  // Of the one check of a profile.
  static std::vector<std::string> mismatches_of(const std::string& toml) {
    return evaluate(target(), parse_profile("check = [{ " + toml + " }]", "x.toml", "/").checks.at(0)).mismatches;
  }
};

TEST_F(Facts, FileHasStatusOwnerAndContent) {
  sh("echo hello > /srv/hello; chmod 2640 /srv/hello; chown www-data:adm /srv/hello; chmod g+s /srv/hello");
  const FileFact fact = file(target(), "/srv/hello");
  ASSERT_TRUE(fact.exists());
  EXPECT_EQ(fact.status->mode & 07777, 02640U);
  EXPECT_EQ(fact.owner, "www-data");
  EXPECT_EQ(fact.group, "adm");
  EXPECT_EQ(fact.content(), "hello\n");
  EXPECT_FALSE(file(target(), "/srv/none").exists());
}

TEST_F(Facts, FileIsTheSymlinkItself) {
  sh("ln -sf /etc/hostname /srv/link");
  const FileFact fact = file(target(), "/srv/link");
  ASSERT_TRUE(fact.exists());
  EXPECT_TRUE(S_ISLNK(fact.status->mode));
  EXPECT_EQ(fact.status->symlink_target, "/etc/hostname");
  EXPECT_EQ(fact.content(), "facts\n");
}

TEST_F(Facts, OwnerWithoutANameIsANumber) {
  sh("touch /srv/owned; chown 4711:4712 /srv/owned");
  EXPECT_EQ(file(target(), "/srv/owned").owner, "4711");
  EXPECT_EQ(file(target(), "/srv/owned").group, "4712");
}

TEST_F(Facts, UserHasItsFields) {
  sh("useradd --system --home-dir /srv/app --shell /bin/false --comment 'The app' --groups adm,tty app");
  const UserFact fact = user(target(), "app");
  EXPECT_TRUE(fact.exists);
  EXPECT_EQ(fact.home, "/srv/app");
  EXPECT_EQ(fact.shell, "/bin/false");
  EXPECT_EQ(fact.gecos, "The app");
  EXPECT_THAT(fact.groups, ElementsAre("app", "adm", "tty"));
  EXPECT_THAT(group(target(), "adm").members, Contains("app"));
  EXPECT_FALSE(user(target(), "nobody-here").exists);
}

TEST_F(Facts, PackageHasItsVersion) {
  const PackageFact fact = package(target(), "python3-apt");
  EXPECT_TRUE(fact.installed);
  EXPECT_EQ(fact.version + "\n", check(target(), {"dpkg-query", "-W", "-f", "${Version}\\n", "python3-apt"}).out);
  EXPECT_FALSE(package(target(), "nginx").installed);
}

TEST_F(Facts, PortListensOnItsAddresses) {
  sh("systemd-run --unit=web -p Type=exec python3 -m http.server 8080 --bind 127.0.0.1");
  const Deadline deadline = Deadline::after(Milliseconds(20'000));
  while (!port(target(), 8080).listening() && !deadline.passed()) {
    sh("systemctl is-active web");  // fails the test when it has died
  }
  EXPECT_THAT(port(target(), 8080).listening_addresses, ElementsAre("127.0.0.1"));
  EXPECT_FALSE(port(target(), 8081).listening());
  EXPECT_FALSE(port(target(), 8080, "udp").listening());
}

TEST_F(Facts, UnknownProtocolIsAnError) { EXPECT_THROW(static_cast<void>(port(target(), 80, "sctp")), Error); }

TEST_F(Facts, ServiceHasItsStates) {
  const ServiceFact fact = service(target(), "dbus");
  EXPECT_TRUE(fact.exists);
  EXPECT_TRUE(fact.running());
  EXPECT_EQ(fact.sub_state, "running");
  EXPECT_FALSE(service(target(), "nosuch").exists);
}

TEST_F(Facts, AServicesProcessesAreFoundByItsUnit) {
  sh("systemd-run --unit=courier -p User=daemon python3 -m http.server --bind 127.0.0.1 8099");
  ASSERT_THAT(mismatches_of("port = 8099, within = '20s'"), IsEmpty());
  const std::vector<Check> found = discover(target(), "courier");
  const std::string toml = to_toml(found);
  EXPECT_THAT(toml, HasSubstr("service = { name = \"courier\", running = true"));
  EXPECT_THAT(toml, HasSubstr("process = { name = \"python3\", running = true"));
  EXPECT_THAT(toml, HasSubstr("-m http.server --bind 127.0.0.1 8099"));
  EXPECT_THAT(toml, HasSubstr("port = { number = 8099, listening = true }"));
  for (const CheckResult& result : evaluate_all(target(), found)) EXPECT_TRUE(result.ok()) << result.title;
  sh("systemctl stop courier");
}

TEST_F(Facts, FailedServiceBringsItsLog) {
  sh("systemd-run --unit=broken --wait sh -c 'echo disk on fire; exit 3' || true");
  const ServiceFact fact = service(target(), "broken");
  EXPECT_EQ(fact.active_state, "failed");
  EXPECT_THAT(fact.log_tail, HasSubstr("disk on fire"));
}

TEST_F(Facts, ChecksThatHold) {
  sh("mkdir -p /srv/dir; ln -sfn ../srv/dir /srv/linked; touch /srv/dir/inner");
  for (const char* check : {
           "service = 'dbus'",
           "service = { name = 'dbus', enabled = false, enabled_state = 'static', state = 'active' }",
           "port = { number = 4, listening = false }",
           "file = { path = '/etc/hostname', mode = '0644', contains = 'facts', type = 'file', size = { gt = 1 } }",
           "file = { path = '/etc/hostname', content = { or = ['x', { matches = '^fa.ts$' }] } }",
           "file = { path = '/etc/hostname', "
           "sha256 = 'd215cf1df8480e3200b15568a379e782b2d2b0a2bc05e512b0431cad8304eb44' }",
           "directory = { path = '/srv/dir', owner = 'root' }",
           "directory = { path = '/etc/hostname', exists = false }",
           "link = { path = '/srv/linked', target = '../srv/dir', resolved = '/srv/dir' }",
           "package = { name = 'python3', version = { ge = '3.9', lt = '4' }, held = false }",
           "user = { name = 'root', uid = 0, groups = ['root'], home = '/root' }",
           "group = { name = 'root', gid = 0 }",
           "command = { argv = ['hostname'], stdout_contains = 'facts' }",
           "command = { argv = ['id', '-un'], user = 'nobody', stdout = { starts_with = 'nobody' } }",
           "process = { name = 'systemd-journald', count = 1, user = 'root', args = { matches = 'journald$' } }",
           "process = { name = 'nosuch', running = false }",
           "mount = { path = '/dev/shm', fstype = 'tmpfs', options = ['rw'] }",
           "mount = { path = '/srv', exists = false }",
           "sysctl = { name = 'net.ipv4.ip_forward', value = { or = [0, 1] } }",
           "sysctl = { name = 'kernel.hostname', value = 'facts' }",
           "sysctl = { name = 'no.such', exists = false }",
           "interface = { name = 'lo', up = true, addresses = ['127.0.0.1/8'], mtu = 65536 }",
           "interface = { name = 'eth7', exists = false }",
           "kernel_parameter = { name = 'no.such', exists = false }",
           "dns = { name = 'localhost', answers = '127.0.0.1' }",
           "dns = { name = 'facts' }",
       }) {
    EXPECT_THAT(mismatches_of(check), IsEmpty()) << check;
  }
}

TEST_F(Facts, CommandChecksSeeTheProfilesEnvironment) {
  const Check check =
      parse_profile("check = [{ command = { argv = ['printenv', 'ROLE'], stdout_contains = 'web' } }]", "x", "/")
          .checks.at(0);
  EXPECT_THAT(evaluate(target(), check, {.env = {{"ROLE", "web"}}}).mismatches, IsEmpty());
  EXPECT_FALSE(evaluate(target(), check).ok());
}

TEST_F(Facts, ChecksThatDont) {
  EXPECT_THAT(mismatches_of("service = 'nosuch'"), ElementsAre("there is no such service"));
  EXPECT_THAT(mismatches_of("port = 4"), ElementsAre("listening: expected true, is false"));
  EXPECT_THAT(mismatches_of("file = { path = '/etc/hostname', mode = '0600', contains = 'fact' }"),
              ElementsAre("mode: expected 0600, is 0644"));
  EXPECT_THAT(mismatches_of("command = ['cat', '/nowhere']"),
              ElementsAre(StartsWith("exit code: expected 0, is 1: cat: /nowhere")));
  EXPECT_THAT(mismatches_of("directory = '/etc/hostname'"), ElementsAre("there is no such directory"));
  EXPECT_THAT(mismatches_of("mount = '/srv'"), ElementsAre("there is no such mount"));
  EXPECT_THAT(mismatches_of("sysctl = { name = 'kernel.hostname', value = 'web' }"),
              ElementsAre("value: expected 'web', is 'facts'"));
  EXPECT_THAT(mismatches_of("process = 'nosuch'"), ElementsAre("running: expected true, is false"));
  EXPECT_THAT(mismatches_of("interface = { name = 'lo', mtu = 1 }"), ElementsAre("mtu: expected 1, is 65536"));
  EXPECT_THAT(mismatches_of("dns = { name = 'x.test', server = '127.0.0.1' }"),
              ElementsAre("resolves: expected true, is false (no answer from 127.0.0.1)"));
}

TEST_F(Facts, ServersAreAskedInTheContainersNetwork) {
  sh("mkdir -p /srv/www; echo 'It works' > /srv/www/index.html; "
     "systemd-run --unit=www -p Type=exec python3 -m http.server 8090 --bind 127.0.0.1 -d /srv/www");
  EXPECT_THAT(mismatches_of("http = { url = 'http://localhost:8090/', status = 200, body = { contains = 'It works' }, "
                            "headers = { matches = '^Content-type: text/html' } }, within = '20s'"),
              IsEmpty());
  EXPECT_THAT(mismatches_of("http = 'http://127.0.0.1:8090/none'"),
              ElementsAre(StartsWith("status: expected 200, is 404; its body begins with\n    1 | ")));
  EXPECT_THAT(mismatches_of("http = { url = 'http://localhost:8091/' }"),
              ElementsAre(HasSubstr("answers: expected true, is false (Failed to connect to localhost")));
  EXPECT_THAT(mismatches_of("http = { url = 'http://localhost:8091/', answers = false }"), IsEmpty());
}

// http on 8095, which leads elsewhere; https on 8443, with a certificate for localhost by a CA of its own.
constexpr const char* kWebServer = R"(
import http.server, ssl, threading
class Leading(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(302)
        self.send_header('Location', '/' if self.path == '/round' else 'https://localhost:8443/')
        self.send_header('Content-Length', '0')
        self.end_headers()
class Secure(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        # Python doesn't say that it ends a TLS connection: without a length that is an answer that was cut off.
        self.send_header('Content-Length', '14')
        self.end_headers()
        self.wfile.write(b'safe and sound')
plain = http.server.HTTPServer(('127.0.0.1', 8095), Leading)
threading.Thread(target=plain.serve_forever, daemon=True).start()
secure = http.server.HTTPServer(('127.0.0.1', 8443), Secure)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/srv/tls/server.pem', '/srv/tls/server.key')
secure.socket = context.wrap_socket(secure.socket, server_side=True)
secure.serve_forever()
)";

TEST_F(Facts, TlsServersAreVerifiedByTheContainersCertificates) {
  write_file(target(), "/srv/web.py", kWebServer);
  sh("mkdir -p /srv/tls; cd /srv/tls; "
     "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test-ca -days 2 "
     "-keyout ca.key -out ca.pem 2>/dev/null; "
     "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out "
     "server.csr "
     "2>/dev/null; "
     "printf 'subjectAltName=DNS:localhost' > san; "
     "openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem "
     "2>/dev/null; "
     "systemd-run --unit=secure -p Type=exec python3 /srv/web.py");
  EXPECT_THAT(mismatches_of("http = { url = 'https://localhost:8443/', verify_tls = false, body = 'safe and sound' }, "
                            "within = '20s'"),
              IsEmpty());
  EXPECT_THAT(mismatches_of("http = 'https://localhost:8443/'"),
              ElementsAre(HasSubstr("answers: expected true, is false (SSL certificate problem")));
  // The container trusts it from now on, the host does not.
  sh("cat /srv/tls/ca.pem >> /etc/ssl/certs/ca-certificates.crt");
  EXPECT_THAT(mismatches_of("http = { url = 'https://localhost:8443/', body = 'safe and sound' }"), IsEmpty());
  EXPECT_THAT(mismatches_of("http = 'https://127.0.0.1:8443/'"), ElementsAre(HasSubstr("127.0.0.1")))
      << "the certificate is for another name";
  EXPECT_THAT(mismatches_of("http = { url = 'http://localhost:8095/', status = 302, headers = { contains = 'Location: "
                            "https://localhost:8443/' } }"),
              IsEmpty());
  EXPECT_THAT(
      mismatches_of("http = { url = 'http://localhost:8095/', follow_redirects = true, body = 'safe and sound' }"),
      IsEmpty());
  sh("mv /etc/ssl/certs/ca-certificates.crt /srv/tls/");
  EXPECT_THAT(
      mismatches_of("http = 'https://localhost:8443/'"),
      ElementsAre(HasSubstr("the container has no '/etc/ssl/certs/ca-certificates.crt' to verify the server with")));
  sh("mv /srv/tls/ca-certificates.crt /etc/ssl/certs/");
}

TEST_F(Facts, RedirectsThatDoNotEndAreNoAnswer) {
  write_file(target(), "/srv/round.py", R"(
import http.server
class Round(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(301)
        self.send_header('Location', '/again')
        self.send_header('Content-Length', '0')
        self.end_headers()
http.server.HTTPServer(('127.0.0.1', 8096), Round).serve_forever()
)");
  sh("systemd-run --unit=round -p Type=exec python3 /srv/round.py");
  EXPECT_THAT(mismatches_of("http = { url = 'http://localhost:8096/', status = 301 }, within = '20s'"), IsEmpty());
  EXPECT_THAT(mismatches_of("http = { url = 'http://localhost:8096/', follow_redirects = true }"),
              ElementsAre("answers: expected true, is false (more than 10 redirects)"));
}

// Over UDP no answer fits; over TCP there are 40 addresses.
constexpr const char* kStreamingDnsServer = R"(
import socket, struct, threading
def question(q):
    end = 12
    while q[end]: end += q[end] + 1
    return q[12:end + 5]
def datagrams():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(('127.0.0.2', 53))
    while True:
        q, peer = s.recvfrom(512)
        s.sendto(q[:2] + b'\x83\x80\0\1\0\0\0\0\0\0' + question(q), peer)
t = socket.socket()
t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
t.bind(('127.0.0.2', 53))
t.listen()
threading.Thread(target=datagrams, daemon=True).start()
while True:
    c, _ = t.accept()
    size = struct.unpack('!H', c.recv(2))[0]
    q = c.recv(size)
    n = 40 if question(q)[-4:-2] == b'\0\1' else 0
    a = q[:2] + b'\x81\x80\0\1' + struct.pack('!H', n) + b'\0\0\0\0' + question(q)
    for i in range(n): a += b'\xc0\x0c\0\1\0\1\0\0\0\5\0\4' + bytes([192, 0, 2, i])
    answer = struct.pack('!H', len(a)) + a
    # In pieces, as a stream may come.
    c.sendall(answer[:1]); c.sendall(answer[1:300]); c.sendall(answer[300:])
    c.close()
)";

TEST_F(Facts, NamesWithManyAddressesAreAskedForOverTcp) {
  write_file(target(), "/srv/stream-dns.py", kStreamingDnsServer);
  sh("systemd-run --unit=stream-dns -p Type=exec python3 /srv/stream-dns.py");
  EXPECT_THAT(mismatches_of("dns = { name = 'many.test', type = 'A', server = '127.0.0.2', answers = '192.0.2.39' }, "
                            "within = '20s'"),
              IsEmpty());
  EXPECT_EQ(dns(target(), "many.test", {.type = "A", .server = "127.0.0.2"}).answers.size(), 40U);
}

// Answers every query with 192.0.2.7, over UDP.
constexpr const char* kDnsServer = R"(
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 53))
while True:
    q, peer = s.recvfrom(512)
    end = 12
    while q[end]: end += q[end] + 1
    question = q[12:end + 5]
    a = question[-4:-2] == b'\0\1'
    missing = q[13:14] == b'n'
    s.sendto(q[:2] + (b'\x81\x83' if missing else b'\x81\x80') + b'\0\1\0' + bytes([1 if a and not missing else 0]) + b'\0\0\0\0' + question +
             (b'\xc0\x0c\0\1\0\1\0\0\0\5\0\4\xc0\0\2\7' if a and not missing else b''), peer)
)";

TEST_F(Facts, NamesAreResolvedByTheContainersServers) {
  write_file(target(), "/srv/dns.py", kDnsServer);
  sh("systemd-run --unit=dnsd -p Type=exec python3 /srv/dns.py; "
     "rm -f /etc/resolv.conf; echo 'nameserver 127.0.0.1' > /etc/resolv.conf");
  EXPECT_THAT(mismatches_of("dns = { name = 'web.test', answers = { equals = ['192.0.2.7'] } }, within = '20s'"),
              IsEmpty());
  EXPECT_THAT(mismatches_of("dns = { name = 'none.test' }"),
              ElementsAre("resolves: expected true, is false (no such name)"));
  EXPECT_THAT(mismatches_of("dns = { name = 'web.test', type = 'AAAA' }"),
              ElementsAre("resolves: expected true, is false (no records)"));
}

TEST_F(Facts, CronReadsSystemAndUserTables) {
  sh("mkdir -p /etc/cron.d /var/spool/cron/crontabs; echo '0 3 * * * nobody /srv/backup --all' > /etc/cron.d/backup; "
     "echo '0 4 * * * nobody /srv/backup --never' > /etc/cron.d/backup.off; "
     "echo '@daily /srv/report' > /var/spool/cron/crontabs/www-data");
  EXPECT_THAT(mismatches_of("cron = { command = '/srv/backup', schedule = '0 3 * * *', user = 'nobody', count = 1 }"),
              IsEmpty());
  EXPECT_THAT(mismatches_of("cron = { command = '/srv/report', schedule = '@daily', user = 'root' }"),
              ElementsAre("user: expected to contain 'root', is 'www-data'"));
  EXPECT_THAT(mismatches_of("cron = '/srv/none'"), ElementsAre("there is no such cron entry"));
}

TEST_F(Facts, WithinWaitsForWhatComes) {
  sh("rm -f /srv/late; systemd-run sh -c 'sleep 0.3; touch /srv/late'");
  EXPECT_THAT(mismatches_of("file = '/srv/late', within = '20s'"), IsEmpty());
  EXPECT_THAT(mismatches_of("file = '/srv/never', within = '50ms'"),
              ElementsAre("there is no such file", "it was tried again for 50ms"));
}

TEST_F(Facts, ChecksThatWaitDoItSideBySide) {
  const auto checks = parse_profile(
                          "check = [{ file = '/srv/never', within = '1s' }, { file = '/srv/nor', within = '1s' },"
                          " { file = '/etc/passwd' }, { command = ['touch', '/srv/at-once'] }]",
                          "x.toml", "/")
                          .checks;
  const auto begin = Deadline::Clock::now();
  const std::vector<CheckResult> results = evaluate_all(target(), checks);
  EXPECT_LT(Deadline::Clock::now() - begin, std::chrono::milliseconds(1'900));
  ASSERT_EQ(results.size(), 4U);
  EXPECT_THAT(results[0].mismatches, ElementsAre("there is no such file", "it was tried again for 1s"));
  EXPECT_FALSE(results[1].ok());
  EXPECT_TRUE(results[2].ok() && results[3].ok());
}

// Debian without systemd: Mayfly's own init runs.
class FactsWithoutSystemd : public test::SharedContainer<FactsWithoutSystemd> {
 public:
  static Profile profile() {
    return {.name = "minbase", .image = DebianImage{.suite = "bookworm"}, .hostname = "minbase"};
  }
};

TEST_F(FactsWithoutSystemd, ServiceIsAnErrorWithAHint) {
  try {
    static_cast<void>(service(target(), "nginx"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "the container has no systemctl");
    EXPECT_THAT(error.hint(), HasSubstr("systemd-sysv"));
  }
}

TEST_F(FactsWithoutSystemd, ACheckThatCannotBeAskedFailsAlone) {
  const auto checks = parse_profile(
                          "check = [{ file = '/etc/passwd' }, { service = 'nginx' },"
                          " { command = { argv = ['id'], user = 'nouser' } },"
                          " { service = { name = 'nginx', running = false }, within = '10ms' }, { user = 'root' }]",
                          "x.toml", "/")
                          .checks;
  const std::vector<CheckResult> results = evaluate_all(target(), checks);
  ASSERT_EQ(results.size(), 5U);
  EXPECT_TRUE(results[0].ok() && results[4].ok());
  EXPECT_THAT(results[1].mismatches, ElementsAre(StartsWith("can't be told: the container has no systemctl")));
  EXPECT_THAT(results[2].mismatches, ElementsAre(StartsWith("can't be told: the container has no user 'nouser'")));
  EXPECT_THAT(results[3].mismatches, ElementsAre(HasSubstr("has no systemctl"), "it was tried again for 10ms"));
}

TEST_F(FactsWithoutSystemd, UnknownPackageManagerIsAnError) {
  check(target(), {"mv", "/var/lib/dpkg/status", "/var/lib/dpkg/gone"});
  try {
    static_cast<void>(package(target(), "nginx"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), StartsWith("package 'nginx': unknown package manager"));
  }
}

TEST(FactsOfTheDead, AreAnError) {
  test::require_root();
  if (testing::Test::IsSkipped()) return;
  test::TestContainer container;
  const Target target = container.target();
  container.destroy();
  for (const char* check : {"command = ['true']", "port = 80", "process = 'init'"}) {
    const auto checks = parse_profile(fmt::format("check = [{{ {} }}]", check), "x.toml", "/").checks;
    EXPECT_THROW(static_cast<void>(evaluate_all(target, checks)), StoppedError) << check;
  }
}

}  // namespace
}  // namespace mayfly
