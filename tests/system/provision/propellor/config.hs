-- A user, a templated file, a secret file, a unit that runs. The variables workers and token are the step's.
import Propellor
import qualified Propellor.Property.Cmd as Cmd
import qualified Propellor.Property.File as File
import qualified Propellor.Property.Systemd as Systemd
import qualified Propellor.Property.User as User

import Greeting

main :: IO ()
main = defaultMain [web, fails, hangs, secret]

web :: Host
web = host "web" $ props
  & osDebian (Stable "bookworm") X86_64
  & User.systemAccountFor (User "greeter")
  & User.shellSetTo (User "greeter") "/usr/sbin/nologin"
  & greeting
  & File.mode "/etc/greeting" 0o640
  & token
  & Systemd.running "greeting" `requires` unit

fails :: Host
fails = host "fails.example" $ props
  & File.hasContent "/etc/before" ["x"]
  & Cmd.cmdProperty "sh" ["-c", "echo disk on fire >&2; exit 3"] `assume` MadeChange
  & File.hasContent "/etc/after" ["x"]

hangs :: Host
hangs = host "hangs.example" $ props
  & Cmd.cmdProperty "sh" ["-c", "setsid sleep 4711 & sleep 4712"] `assume` MadeChange

secret :: Host
secret = host "secret.example" $ props
  & password
  & Cmd.cmdProperty "sh" ["-c", "echo it is $(cat /etc/secret); echo wrong: $(cat /etc/secret) >&2; exit 3"]
      `assume` MadeChange
