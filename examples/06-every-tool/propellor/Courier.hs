module Courier (configuration, token, unit) where

import Control.Monad.IO.Class (liftIO)
import Propellor
import qualified Propellor.Property.File as File
import System.Environment (getEnv)

configuration :: Property UnixLike
configuration = property' "configuration" $ \witness -> do
  workers <- liftIO (getEnv "workers")
  ensureProperty witness $
    File.hasContent "/etc/courier/courier.conf" ["LISTEN=127.0.0.1", "PORT=8080", "WORKERS=" ++ workers]

token :: Property UnixLike
token = property' "token" $ \witness -> do
  secret <- liftIO (getEnv "token")
  ensureProperty witness (File.hasContentProtected "/etc/courier/token" [secret])

unit :: Property UnixLike
unit = File.hasContent "/etc/systemd/system/courier.service"
  [ "[Unit]"
  , "Description=Courier"
  , ""
  , "[Service]"
  , "User=courier"
  , "ExecStart=/usr/local/bin/courier serve"
  , ""
  , "[Install]"
  , "WantedBy=multi-user.target"
  ]
