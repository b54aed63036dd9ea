module Greeting (greeting, password, token, unit) where

import Control.Monad.IO.Class (liftIO)
import Propellor
import qualified Propellor.Property.File as File
import System.Environment (getEnv)

greeting :: Property UnixLike
greeting = property' "greeting" $ \witness -> do
  workers <- liftIO (getEnv "workers")
  ensureProperty witness (File.hasContent "/etc/greeting" ["hello " ++ workers])

token :: Property UnixLike
token = property' "token" $ \witness -> do
  secret <- liftIO (getEnv "token")
  ensureProperty witness (File.hasContentProtected "/etc/greeting.token" [secret])

unit :: Property UnixLike
unit = File.hasContent "/etc/systemd/system/greeting.service"
  ["[Service]", "ExecStart=/bin/sleep infinity", "[Install]", "WantedBy=multi-user.target"]

password :: Property UnixLike
password = property' "password" $ \witness -> do
  value <- liftIO (getEnv "password")
  ensureProperty witness (File.hasContent "/etc/secret" [value])
