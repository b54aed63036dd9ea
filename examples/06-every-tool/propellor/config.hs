-- Courier: user, configuration, token and service; the variables workers and token come from the profile.
import Propellor
import qualified Propellor.Property.Cmd as Cmd
import qualified Propellor.Property.File as File
import qualified Propellor.Property.Systemd as Systemd
import qualified Propellor.Property.User as User
import System.Exit (ExitCode (..))
import System.Process (rawSystem)

import Courier

main :: IO ()
main = defaultMain [clean, planted]

clean :: Host
clean = host "courier.example" $ props
  & osDebian (Stable "bookworm") X86_64
  & service

planted :: Host
planted = host "planted.example" $ props
  & osDebian (Stable "bookworm") X86_64
  & service
  & index

service :: Property DebianLike
service = propertyList "courier" $ props
  & User.systemAccountFor (User "courier")
  & User.shellSetTo (User "courier") "/usr/sbin/nologin"
  & File.dirExists "/var/lib/courier"
  & File.dirExists "/etc/courier"
  & configuration
  & token
  & File.ownerGroup "/etc/courier/token" (User "courier") (Group "courier")
  & Systemd.running "courier" `requires` unit

-- PLANTED: Propellor runs what `check` asks, and reports a property that it then leaves alone as done.
index :: Property UnixLike
index = check ((/= ExitSuccess) <$> rawSystem "courier" ["up-to-date"]) (Cmd.cmdProperty "courier" ["reindex"])
  `describe` "index is up to date"
